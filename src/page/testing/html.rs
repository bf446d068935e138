//! Looking into HTML, and patching it.

use ego_tree::NodeId;
use scraper::{ElementRef, Html, Selector};

use super::streams::keep_items;
use crate::page::fields::Fields;

pub(super) fn parse(selector: &str) -> Selector {
    Selector::parse(selector).unwrap_or_else(|error| panic!("{selector:?} is no CSS selector: {error}"))
}

pub(super) fn text(document: &Html, selector: &str) -> String {
    let found = document.root_element().select(&parse(selector)).next();
    let found = found.unwrap_or_else(|| panic!("nothing fits {selector:?}:\n{}", document.html()));
    found.text().collect::<String>().split_whitespace().collect::<Vec<_>>().join(" ")
}

pub(super) fn values(element: ElementRef<'_>) -> Fields {
    let named = |(name, value): (&str, &str)| Some((name.strip_prefix("data-lv-value-")?.to_owned(), value.to_owned()));
    element.value().attrs().filter_map(named).collect()
}

/// What a form would send: its successful controls, and the button that was pressed.
pub(super) fn fields(form: ElementRef<'_>, pressed: Option<ElementRef<'_>>) -> Fields {
    let mut fields = Fields::default();
    for control in form.select(&parse("input[name], textarea[name], select[name], button[name]")) {
        let name = control.attr("name").unwrap_or_default();
        let value = control.attr("value");
        if control.attr("disabled").is_some() {
            continue;
        }
        match (control.value().name(), control.attr("type").unwrap_or_default()) {
            ("input", "checkbox" | "radio") if control.attr("checked").is_none() => {}
            ("input", "checkbox" | "radio") => fields.push(name, value.unwrap_or("on")),
            ("input", "submit" | "button" | "image" | "reset" | "file") | ("button", _) => {
                if pressed.is_some_and(|pressed| pressed.id() == control.id()) {
                    fields.push(name, value.unwrap_or_default());
                }
            }
            ("textarea", _) => fields.push(name, control.text().collect::<String>()),
            ("select", _) => {
                let options: Vec<_> = control.select(&parse("option")).collect();
                let chosen = options.iter().find(|option| option.attr("selected").is_some()).or(options.first());
                if let Some(option) = chosen {
                    let text = || option.text().collect::<String>();
                    fields.push(name, option.attr("value").map_or_else(text, str::to_owned));
                }
            }
            _ => fields.push(name, value.unwrap_or_default()),
        }
    }
    fields
}

/// The element of this id.
pub(super) fn by_id(document: &Html, id: &str) -> NodeId {
    let by_id = parse(&format!("[id=\"{}\"]", id.replace('\\', "\\\\").replace('"', "\\\"")));
    let target = document.root_element().select(&by_id).next().map(|element| element.id());
    target.unwrap_or_else(|| panic!("the server patches {id:?}, which is not on the page"))
}

/// The nodes of some HTML, not in the document yet.
pub(super) fn fresh(document: &mut Html, html: &str) -> Vec<NodeId> {
    // A template's content is parsed as what it is, table rows included.
    let parsed = Html::parse_fragment(&format!("<template>{html}</template>"));
    let template = parsed.root_element().select(&parse("template")).next().expect("a template was parsed").id();
    let mut fresh = Vec::new();
    let children = parsed.tree.get(template).into_iter().flat_map(|template| template.children());
    for child in children {
        // A template's children stand in a fragment of its own, which is nothing an element could hold.
        match child.value() {
            scraper::Node::Fragment => child.children().for_each(|child| fresh.push(copy(document, child))),
            _ => fresh.push(copy(document, child)),
        }
    }
    fresh
}

/// Puts new HTML into the element of this id, or in its place.
pub(super) fn replace(document: &mut Html, id: &str, outer: bool, html: &str) {
    let target = by_id(document, id);
    let fresh = fresh(document, html);
    keep_items(document, target, outer, &fresh);
    let Some(mut target) = document.tree.get_mut(target) else { return };
    if outer {
        for node in fresh {
            target.insert_id_before(node);
        }
        target.detach();
    } else {
        while let Some(mut child) = target.first_child() {
            child.detach();
        }
        for node in fresh {
            target.append_id(node);
        }
    }
}

fn copy(document: &mut Html, from: ego_tree::NodeRef<'_, scraper::Node>) -> ego_tree::NodeId {
    let id = document.tree.orphan(from.value().clone()).id();
    for child in from.children() {
        let child = copy(document, child);
        document.tree.get_mut(id).expect("it was just made").append_id(child);
    }
    id
}
