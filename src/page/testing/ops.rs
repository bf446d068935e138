//! Takes the steps of a patch, as a browser does, and fails where it would ask for the region whole.

use ego_tree::{NodeId, NodeMut};
use maud::Render;
use rmpv::Value;
use scraper::{Html, Node};

use super::html::{by_id, fresh};
use super::streams::keep_items;

/// Changes a region of the document.
pub(super) fn apply(document: &mut Html, region: &str, ops: &[Value]) {
    for op in ops {
        step(document, region, op)
            .unwrap_or_else(|why| panic!("{why}: {op} in the region {region:?} of\n{}", document.html()));
    }
}

fn step(document: &mut Html, region: &str, op: &Value) -> Result<(), String> {
    let op = op.as_array().ok_or("an op is a list")?;
    let part = |at: usize| op.get(at).unwrap_or(&Value::Nil);
    let number = |at: usize| part(at).as_u64().map(|number| number as usize);
    let text = |at: usize| part(at).as_str().ok_or_else(|| format!("part {at} is no text"));
    let target = find(document, region, part(1), part(2))?;
    match number(0) {
        Some(0) => {
            let length = number(3).ok_or("no length")?;
            let (at, delete) = (number(5).unwrap_or(0), number(6).unwrap_or(length));
            let insert: Vec<u16> = text(4)?.encode_utf16().collect();
            let mut node = node(document, target)?;
            let Node::Text(old) = node.value() else { return Err("no text is there".into()) };
            let mut units: Vec<u16> = old.text.encode_utf16().collect();
            if units.len() != length {
                return Err(format!("the text has {} units", units.len()));
            }
            units.splice(at..at + delete, insert);
            old.text = String::from_utf16(&units).map_err(|error| error.to_string())?.as_str().into();
        }
        Some(1) => attributes(document, target, text(3)?, part(4).as_array().ok_or("no values")?)?,
        Some(2) => {
            let fresh = fresh(document, text(3)?);
            keep_items(document, target, true, &fresh);
            let mut node = node(document, target)?;
            for fresh in fresh {
                node.insert_id_before(fresh);
            }
            node.detach();
        }
        Some(3) => children(document, target, number(3), part(4).as_array().ok_or("no steps")?)?,
        _ => return Err("an unknown op".into()),
    }
    Ok(())
}

fn find(document: &Html, region: &str, anchor: &Value, path: &Value) -> Result<NodeId, String> {
    let anchor = anchor.as_str().unwrap_or(region);
    let path = path.as_array().ok_or("no path")?;
    path.iter().try_fold(by_id(document, anchor), |node, at| {
        let at = at.as_u64().ok_or("no place")? as usize;
        let node = document.tree.get(node).ok_or("no node")?;
        node.children().nth(at).map(|child| child.id()).ok_or_else(|| format!("there is no child {at}"))
    })
}

fn node(document: &mut Html, id: NodeId) -> Result<NodeMut<'_, Node>, String> {
    document.tree.get_mut(id).ok_or_else(|| "no node".into())
}

fn attributes(document: &mut Html, target: NodeId, tag: &str, values: &[Value]) -> Result<(), String> {
    let node =
        document.tree.get(target).and_then(|node| node.value().as_element().cloned()).ok_or("no element is there")?;
    if !node.name().eq_ignore_ascii_case(tag) {
        return Err(format!("a {} is there", node.name()));
    }
    let mut all: Vec<(String, String)> =
        node.attrs().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    for pair in values.chunks(2) {
        let name = pair[0].as_str().ok_or("no name")?;
        all.retain(|(other, _)| other != name);
        all.extend(pair[1].as_str().map(|value| (name.to_owned(), value.to_owned())));
    }
    // Made by the parser, as the element keeps more of its attributes than their list.
    let mut html = format!("<{tag}");
    for (name, value) in all {
        html.push_str(&format!(" {name}=\"{}\"", value.render().into_string()));
    }
    let shell = fresh(document, &format!("{html}>"));
    let shell = shell.first().and_then(|shell| document.tree.get(*shell)).map(|shell| shell.value().clone());
    *self::node(document, target)?.value() = shell.ok_or("no element came of it")?;
    Ok(())
}

fn children(document: &mut Html, target: NodeId, count: Option<usize>, steps: &[Value]) -> Result<(), String> {
    let old: Vec<_> = document.tree.get(target).ok_or("no node")?.children().map(|child| child.id()).collect();
    if Some(old.len()) != count {
        return Err(format!("there are {} children", old.len()));
    }
    let (mut new, mut passed) = (Vec::new(), 0);
    for step in steps {
        match (step.as_i64(), step.as_str(), step.as_array()) {
            (Some(count), ..) => {
                let next = passed + count.unsigned_abs() as usize;
                let some = old.get(passed..next).ok_or("more is passed than there is")?;
                new.extend_from_slice(if count > 0 { some } else { &[] });
                passed = next;
            }
            (_, Some(html), _) => new.extend(fresh(document, html)),
            (.., Some(taken)) => {
                let at = taken.first().and_then(Value::as_u64).ok_or("no place")? as usize;
                new.push(*old.get(at).ok_or("what is taken is not there")?);
            }
            _ => return Err("an unknown step".into()),
        }
    }
    if passed != old.len() {
        return Err(format!("{passed} of {} are passed", old.len()));
    }
    for child in old {
        node(document, child)?.detach();
    }
    let mut target = node(document, target)?;
    for child in new {
        target.append_id(child);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use proptest::prelude::*;
    use proptest::sample::select;

    use super::*;
    use crate::live::Format;
    use crate::page::patch;
    use crate::page::rendered::Node as Region;
    use crate::page::testing::html::replace;

    fn region(id: &str, html: &str, holes: &[u32], children: Vec<Arc<Region>>) -> Arc<Region> {
        let (id, html, holes, children) = (id.into(), html.into(), holes.into(), children.into());
        Arc::new(Region { id, html, holes, children, ..Region::default() })
    }

    fn document(region: &Region) -> Html {
        Html::parse_document(&format!("<body><div id=\"lv-root\">{}</div></body>", region.html()))
    }

    /// Leads a browser from the one to the other, and gives what was sent.
    fn lead(old: &Arc<Region>, new: &Arc<Region>) -> Vec<Value> {
        let mut shown = document(old);
        let bytes = Format::MessagePack.to_bytes(&patch::in_steps(old, new)).unwrap();
        let sent: Value = Format::MessagePack.from_slice(&bytes).unwrap();
        let sent = sent.as_array().cloned().unwrap();
        for change in &sent {
            let change = change.as_array().unwrap();
            let id = change[0].as_str().unwrap();
            match change[1].as_u64() {
                Some(2) => apply(&mut shown, id, change[2].as_array().unwrap()),
                kind => replace(&mut shown, id, kind == Some(1), change[2].as_str().unwrap()),
            }
        }
        assert_eq!(shown.html(), document(new).html(), "\n{}\n{}\n{sent:?}", old.html(), new.html());
        sent
    }

    fn check(old: &str, new: &str, ops: usize) -> String {
        let sent = lead(&region("lv-root", old, &[], vec![]), &region("lv-root", new, &[], vec![]));
        let steps = sent.first().and_then(|change| change.as_array()?[2].as_array().cloned());
        let count = steps.as_ref().map_or(usize::from(!sent.is_empty()) * 1_000, Vec::len);
        assert_eq!(count, ops, "{old}\n{new}\n{sent:?}");
        format!("{:?}", steps.unwrap_or_default())
    }

    #[test]
    fn changes_are_as_small_as_they_are() {
        check("<p>a</p>", "<p>a</p>", 0);
        check("<p>a</p>", "<p>b &amp; c</p>", 1);
        check(r#"<p class="a">x</p>"#, r#"<p class="b" hidden>x</p>"#, 1);
        check("<ul><li>1</li><li>2</li></ul>", "<ul><li>1</li></ul>", 1);
        check(r#"<b id="a">1</b><b id="b">2</b>"#, r#"<b id="b">2</b><b id="a">1</b>"#, 1);
        check(r#"<b id="a">1</b><b id="b">2</b>"#, r#"<b id="b">3</b><b id="a">1</b>"#, 2);
        check("<p>a</p>", "<div>a</div>", 1);
        check("a<b>1</b>c", "ac", 2);
        check("<textarea>a</textarea>", "<textarea>b</textarea>", 1);
        // What is not stepped into becomes another with care: a new frame would be loaded.
        let frame = check(r#"<iframe title="a"></iframe>"#, r#"<iframe title="b"></iframe>"#, 1);
        assert!(frame.starts_with("[Array([Integer(PosInt(2))"), "{frame}");
        check(r#"<template id="t"><b>a</b></template>"#, r#"<template id="t"><b>b</b></template>"#, 1);
        check("<p>a&nbsp;b</p>", "<p>a&nbsp;c</p>", 1);
        // A browser reads this in its own way.
        check("<p>a<div>b</div></p>", "<p>a<div>c</div></p>", 1_000);
        // What is around an element that stays, stays with it.
        let note = |title| format!(r#"<p><input id="note" title="{title}"></p><p><input id="mail"></p>"#);
        check(&format!("<p>1</p>{}", note(1)), &format!("<p>1</p><p>2</p>{}", note(2)), 2);
        check(&format!("<p>1</p><p>2</p>{}", note(1)), &note(1), 1);
        // Nor does it matter where in it that is.
        let list = |ids: &[&str]| {
            format!("<ul>{}</ul>", ids.iter().map(|id| format!(r#"<li id="{id}">x</li>"#)).collect::<String>())
        };
        check(&list(&["a", "b", "c"]), &list(&["n", "a", "b", "c"]), 1);
        check(&list(&["a", "b", "c"]), &list(&["c", "b", "a"]), 1);
        check(&list(&["a", "b", "c"]), &list(&["b", "c"]), 1);
        // Which of them is meant can't be said.
        check(r#"<p id="a">1</p><p id="a">2</p>"#, r#"<p id="a">1</p><p id="a">3</p>"#, 1_000);
        // It goes to another parent: only a browser can keep it.
        check(r#"<p><b id="a">x</b></p><div></div>"#, r#"<p></p><div><b id="a">x</b></div>"#, 1_000);
        let splice = check(&"x".repeat(50), &format!("{}茶{}", "x".repeat(25), "x".repeat(25)), 1);
        assert!(splice.contains("25"), "{splice}");
    }

    #[test]
    fn one_row_of_many_is_all_that_is_sent() {
        let rows = |touched: u32| -> String {
            let row = |at| {
                format!(r#"<tr id="row-{at}"><td>{at}</td><td>{}</td></tr>"#, if at == touched { "new" } else { "old" })
            };
            (0..1_000).map(row).collect()
        };
        let table = |touched| {
            let table = region("rows", &rows(touched), &[], vec![]);
            region("lv-root", r#"<table><tbody id="rows"></tbody></table>"#, &[25], vec![table])
        };
        let sent = lead(&table(2_000), &table(421));
        assert_eq!(format!("{sent:?}").matches("new").count(), 1);
        let bytes = Format::MessagePack.to_bytes(&patch::in_steps(&table(2_000), &table(421))).unwrap();
        assert!(bytes.len() < 40, "{} bytes", bytes.len());
        let bytes = Format::MessagePack.to_bytes(&patch::in_steps(&table(421), &table(422))).unwrap();
        assert!(bytes.len() < 80, "{} bytes", bytes.len());
        let mut reversed: Vec<_> = rows(2_000).split_inclusive("</tr>").map(str::to_owned).collect();
        reversed.reverse();
        let reversed = reversed.concat();
        let back = region(
            "lv-root",
            r#"<table><tbody id="rows"></tbody></table>"#,
            &[25],
            vec![region("rows", &reversed, &[], vec![])],
        );
        lead(&table(2_000), &back);
        let bytes = Format::MessagePack.to_bytes(&patch::in_steps(&table(2_000), &back)).unwrap();
        assert!(bytes.len() < 10_000, "{} bytes", bytes.len());
    }

    /// A tree as maud would write it; `#` stands for a region inside.
    fn tree() -> impl Strategy<Value = String> {
        let text = select(vec![
            "",
            "a",
            "b",
            "a &lt; b",
            "&quot;c&quot; &amp; d",
            "水 &nbsp;",
            "a longer text than the others",
            "<!-- c -->",
        ]);
        let leaf = prop_oneof![
            4 => text.prop_map(str::to_owned),
            1 => select(vec!["<br>", "<hr>", r#"<input name="q" value="1">"#, r#"<input name="q" value="2">"#, "<textarea>x</textarea>",
                "<svg><path d=\"1\"/></svg>", "<i data-lv-ignore>1</i>", "<template><b>1</b></template>", "<p>a<div>b</div></p>"]).prop_map(str::to_owned),
        ];
        leaf.prop_recursive(4, 40, 6, |inner| {
            let tag = select(vec!["div", "span", "ul", "section", "b"]);
            let attributes = select(vec![
                "",
                " id=\"a\"",
                " id=\"b\"",
                " id=\"c\"",
                " data-key=\"k\"",
                " class=\"x\"",
                " class=\"y\" hidden",
                " title=\"&amp;&quot;\"",
                " data-key=\"l\" class=\"x\"",
            ]);
            (tag, attributes, proptest::collection::vec(inner, 0..6))
                .prop_map(|(tag, attributes, inner)| format!("<{tag}{attributes}>{}</{tag}>", inner.concat()))
        })
    }

    /// Ids that stand twice make a page nobody can patch; the server names them in development.
    fn sound(html: &str) -> bool {
        ["a", "b", "c"].iter().all(|id| html.matches(&format!(" id=\"{id}\"")).count() < 2)
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 1_500, max_global_rejects: 200_000, ..ProptestConfig::default() })]

        /// DOM 29: whatever the one and the other are, the steps lead from the one to the other.
        #[test]
        fn d29_steps_lead_from_any_tree_to_any_other(old in proptest::collection::vec(tree(), 1..5), new in proptest::collection::vec(tree(), 1..5)) {
            let (old, new) = (old.concat(), new.concat());
            prop_assume!(sound(&old) && sound(&new));
            lead(&region("lv-root", &old, &[], vec![]), &region("lv-root", &new, &[], vec![]));
        }

        /// Trees that differ little, as renderings of one page do.
        #[test]
        fn d29_steps_lead_from_a_tree_to_one_like_it(parts in proptest::collection::vec(tree(), 1..6), changed in tree(), at in 0..6usize, way in 0..4u8) {
            let mut other = parts.clone();
            let at = at % parts.len();
            match way {
                0 => other[at] = changed,
                1 => other.insert(at, changed),
                2 => _ = other.remove(at),
                _ => other.reverse(),
            }
            let (old, new) = (parts.concat(), other.concat());
            prop_assume!(sound(&old) && sound(&new));
            let wrapped = |html: &str| region("lv-root", &format!("<main id=\"main\">{html}</main>"), &[], vec![]);
            lead(&wrapped(&old), &wrapped(&new));
            // With regions inside, some of which are the same ones.
            let inner = |id: &str, html: &str| region(id, html, &[], vec![]);
            let outer = |ids: [&str; 2], html: &str, inside: &str| {
                let (first, second) = (format!("<p id=\"{}\">", ids[0]), format!("<section>{html}</section><p id=\"{}\">", ids[1]));
                let holes = [first.len() as u32, (first.len() + 4 + second.len()) as u32];
                region("lv-root", &format!("{first}</p>{second}</p>"), &holes, vec![inner(ids[0], inside), inner(ids[1], "same")])
            };
            lead(&outer(["r", "s"], &old, "1"), &outer(["r", "s"], &new, "2"));
            lead(&outer(["r", "s"], &old, "1"), &outer(["s", "r"], &new, "2"));
            lead(&outer(["r", "s"], &old, "1"), &outer(["t", "r"], &new, "2"));
        }
    }
}
