//! Random pages and the patches between them, one line of JSON each: `diffs SEED COUNT`. The same seed gives the same lines.
//!
//! `dom-diffs.test.mjs` applies them with the runtime in a browser, and compares what comes out with a browser's own reading of
//! the new page.

use std::io::Write;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use mizu::testing::patch_between;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use serde::Serialize;

/// Ids that elements may have; each stands once on a page, or it is not tried.
const IDS: [&str; 6] = ["a", "b", "c", "d", "e", "1"];

/// One case: two pages, and what is sent between them as base64 of MessagePack.
#[derive(Serialize)]
struct Case {
    old: String,
    new: String,
    patch: String,
}

fn text() -> impl Strategy<Value = String> {
    let some = [
        "",
        "a",
        "b",
        " ",
        "\n",
        "a &lt; b",
        "&quot;c&quot; &amp; d",
        "水 &nbsp; 🍵",
        "a longer text than the others",
        "a longer text that is like another",
        "<!-- c -->",
        "<!-- d -->",
    ];
    select(some.to_vec()).prop_map(str::to_owned)
}

/// What stands between a tag's name and its end.
fn attributes() -> impl Strategy<Value = String> {
    let id = prop_oneof![3 => Just(None), 2 => select(IDS.to_vec()).prop_map(Some)];
    let others = [
        "",
        "",
        " class=\"x\"",
        " class=\"y\" hidden",
        " title=\"&amp;&quot;\"",
        " data-key=\"k\"",
        " data-key=\"l\" class=\"x\"",
        " style=\"top: 1px\"",
    ];
    (id, select(others.to_vec()))
        .prop_map(|(id, others)| id.map_or_else(|| others.to_owned(), |id| format!(" id=\"{id}\"{others}")))
}

/// Elements that hold no other, among them some that a browser reads in its own way.
fn leaf() -> impl Strategy<Value = String> {
    let whole = [
        "<br>",
        "<hr>",
        "<svg viewBox=\"0 0 1 1\"><path d=\"M0 1\"/><g></g></svg>",
        "<svg viewBox=\"0 0 1 1\"><path d=\"M0 2\"/></svg>",
        "<math><mi>x</mi></math>",
        "<i data-lv-ignore>1</i>",
        "<template><b>1</b></template>",
        "<template><b>2</b></template>",
        "<p>a<div>b</div></p>",
        "<table>a<tr><td>b</td></tr></table>",
        "<table><tbody><tr><td>1</td></tr></tbody></table>",
        "<table><tbody><tr><td>1</td></tr><tr><td>2</td></tr></tbody></table>",
        "<select><option>1</option><option selected>2</option></select>",
        "<select><option>1</option></select>",
        "<select><optgroup label=\"g\"><option>1</option></optgroup></select>",
        "<details open><summary>s</summary></details>",
        "<details><summary>s</summary>more</details>",
        "<x-leaf></x-leaf>",
    ];
    let control = [
        "<input name=\"q\" value=\"1\"",
        "<input name=\"q\" value=\"2\"",
        "<input type=\"checkbox\"",
        "<input type=\"checkbox\" checked",
    ];
    prop_oneof![
        8 => text(),
        3 => select(whole.to_vec()).prop_map(str::to_owned),
        2 => (select(control.to_vec()), attributes()).prop_map(|(open, attributes)| format!("{open}{attributes}>")),
        1 => (select(vec!["", "x", "two\nlines"]), attributes()).prop_map(|(text, attributes)| format!("<textarea{attributes}>{text}</textarea>")),
    ]
}

fn tree() -> impl Strategy<Value = String> {
    leaf().prop_recursive(4, 30, 6, |inner| {
        let tag = select(vec!["div", "span", "ul", "li", "section", "b", "button", "form", "x-box"]);
        (tag, attributes(), vec(inner, 0..6))
            .prop_map(|(tag, attributes, inner)| format!("<{tag}{attributes}>{}</{tag}>", inner.concat()))
    })
}

/// Two pages that have nothing to do with each other, or that differ in a place or two, as renderings do.
fn pair() -> impl Strategy<Value = (String, String)> {
    let any = || vec(tree(), 0..5).prop_map(|all| all.concat());
    let near = (vec(tree(), 1..7), tree(), 0..7usize, 0..7usize, 0..6u8).prop_map(|(parts, fresh, at, other, way)| {
        let mut new = parts.clone();
        let (at, other) = (at % parts.len(), other % parts.len());
        match way {
            0 => new[at] = fresh,
            1 => new.insert(at, fresh),
            2 => _ = new.remove(at),
            3 => new.swap(at, other),
            4 => new.rotate_left(at),
            _ => new[at] = new[at].replacen("class=\"x\"", "class=\"z\"", 1).replacen(">a<", ">c<", 1),
        }
        let around = |parts: &[String]| format!("<main><h1>x</h1>{}</main>", parts.concat());
        (around(&parts), around(&new))
    });
    let unique = |html: &str| IDS.iter().all(|id| html.matches(&format!(" id=\"{id}\"")).count() < 2);
    prop_oneof![1 => (any(), any()), 3 => near]
        .prop_filter("each id stands once", move |(old, new)| unique(old) && unique(new))
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1).map(|text| text.parse::<u64>());
    let (Some(Ok(seed)), Some(Ok(count))) = (arguments.next(), arguments.next()) else {
        return Err("usage: diffs SEED COUNT".into());
    };
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    let config = Config { max_local_rejects: u32::MAX, ..Config::default() };
    let mut runner = TestRunner::new_with_rng(config, TestRng::from_seed(RngAlgorithm::ChaCha, &bytes));
    let pairs = pair();
    let mut out = std::io::stdout().lock();
    for _ in 0..count {
        let (old, new) = pairs.new_tree(&mut runner).map_err(|reason| reason.to_string())?.current();
        let patch = STANDARD.encode(patch_between(&old, &new));
        serde_json::to_writer(&mut out, &Case { old, new, patch })?;
        out.write_all(b"\n")?;
    }
    Ok(())
}
