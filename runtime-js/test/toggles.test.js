import { expect, test } from "vitest";
import { Toggles } from "../src/toggles.js";

/** The person's toggling went into what a row was turned back to, and the server seemed to have said it. */
test("a copy shows what the server said, whoever opened or closed it since", () => {
  const html = `<details id="a"></details><div><dialog id="b"></dialog></div><details id="c" open=""></details>`;
  document.body.innerHTML = `<section>${html}</section>`;
  const section = /** @type {Element} */ (document.querySelector("section"));
  const toggles = new Toggles();
  toggles.learn(document.body);
  for (const id of ["a", "b", "c"]) document.getElementById(id)?.toggleAttribute("open");
  const copy = /** @type {Element} */ (section.cloneNode(true));
  expect(copy.innerHTML).not.toBe(html);
  toggles.restore(section, copy);
  expect(copy.innerHTML).toBe(html);
});
