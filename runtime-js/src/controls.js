/** One form control: what it shows (its properties), and what its HTML says it should (its attributes). */

/** @typedef {HTMLInputElement | HTMLTextAreaElement} Text */
/** @typedef {Text | HTMLSelectElement} Control */

/** @param {unknown} node @returns {node is Control} */
export function isControl(node) {
  return node instanceof Element && /^(input|textarea|select)$/.test(node.localName);
}

/** @param {Control} control @returns {control is HTMLInputElement} */
export function isCheckable(control) {
  return control.type === "checkbox" || control.type === "radio";
}

/** One value, or those that a select has chosen. @param {Control} control */
export function valuesIn(control) {
  return control instanceof HTMLSelectElement ? [...control.selectedOptions].map(({ value }) => value) : [control.value];
}

/** What a control shows, comparable. @param {Control} control */
export function shown(control) {
  return JSON.stringify(isCheckable(control) ? control.checked : valuesIn(control));
}

/** @param {HTMLOptionElement} option */
function chosenByHtml(option) {
  return option.hasAttribute("selected");
}

/** A control shows something else than its HTML says. @param {Control} control */
export function differs(control) {
  if (control instanceof HTMLSelectElement) return [...control.options].some((option) => option.selected !== chosenByHtml(option));
  return isCheckable(control) ? control.checked !== control.defaultChecked : control.value !== control.defaultValue;
}

/** Makes a control show what its HTML says. Nothing is assigned that holds already. @param {Control} control */
export function showDefault(control) {
  if (control instanceof HTMLSelectElement) showDefaultOptions(control);
  else if (isCheckable(control)) {
    if (control.checked !== control.defaultChecked) control.checked = control.defaultChecked;
  } else if (control.type !== "file" && control.value !== control.defaultValue) control.value = control.defaultValue;
}

/** @param {HTMLSelectElement} select */
function showDefaultOptions(select) {
  const options = [...select.options];
  if (!select.multiple && !options.some(chosenByHtml)) {
    select.selectedIndex = options.findIndex((option) => !option.disabled);
  } else {
    for (const option of options) if (option.selected !== chosenByHtml(option)) option.selected = chosenByHtml(option);
  }
}

/** From here on the property doesn't follow the attribute. The caret doesn't move: nothing changes. @param {Text} control */
export function detach(control) {
  if (control instanceof HTMLInputElement && isCheckable(control)) control.checked = control.checked;
  else if (!control.validity.badInput) control.value = control.value;
}

/** What the HTML of a select chooses. @param {HTMLSelectElement} select */
export function defaults(select) {
  return JSON.stringify([...select.options].filter(chosenByHtml).map(({ value }) => value));
}

/** Chooses these values again, if any is left to choose. @param {HTMLSelectElement} select @param {string[]} values */
export function choose(select, values) {
  if (shown(select) === JSON.stringify(values)) return;
  const options = [...select.options];
  if (!values.length && !select.multiple) select.selectedIndex = -1;
  else if (select.multiple || options.some((option) => values.includes(option.value))) {
    for (const option of options) option.selected = values.includes(option.value);
  }
}
