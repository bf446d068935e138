//! The rules of the house, held against the code: which layer may know which, and that files import only downwards.
//!
//! `live` knows neither `sync` nor `page`; `sync` knows neither `live` nor `page`; a layer uses what another re-exports and nothing
//! deeper. Inside a layer the files form no circle.

#![allow(clippy::unwrap_used, reason = "a test that can't go on fails here")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// Files that may name each other, and why.
const EXCEPTIONS: [(&str, &str, &str, &str); 1] = [(
    "page",
    "ctx",
    "definition",
    "the trait of a page names what its callbacks are given, which names the page's own message type",
)];

fn layer_dir(layer: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src").join(layer)
}

fn files(dir: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else if path.extension().is_some_and(|kind| kind == "rs") {
            found.push(path);
        }
    }
    found.sort();
    found
}

/// A file's code: without comments, and without what is compiled for tests only.
fn code(path: &Path) -> String {
    let text = fs::read_to_string(path).unwrap();
    let text = text.split("\n#[cfg(test)]\nmod ").next().unwrap_or_default();
    text.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n")
}

/// The paths of all `use` items, one by one: `use a::{b, c::d};` gives `a::b` and `a::c::d`.
fn uses(code: &str) -> Vec<String> {
    fn expand(prefix: &str, tree: &str, out: &mut Vec<String>) {
        let (mut depth, mut start, mut parts) = (0, 0, Vec::new());
        for (at, char) in tree.char_indices() {
            match char {
                '{' => depth += 1,
                '}' => depth -= 1,
                ',' if depth == 0 => {
                    parts.push(&tree[start..at]);
                    start = at + 1;
                }
                _ => {}
            }
        }
        parts.push(&tree[start..]);
        for part in parts.into_iter().map(str::trim).filter(|part| !part.is_empty()) {
            match part.split_once('{') {
                Some((head, rest)) => expand(&format!("{prefix}{head}"), rest.trim_end().trim_end_matches('}'), out),
                None => out.push(format!("{prefix}{}", part.split(" as ").next().unwrap_or(part))),
            }
        }
    }
    let mut out = Vec::new();
    let lines = code.split(';').filter_map(|item| item.rsplit_once("use ").map(|(_, tree)| tree.trim()));
    for tree in lines.filter(|tree| tree.starts_with("crate") || tree.starts_with("super") || tree.starts_with("self"))
    {
        expand("", &tree.split_whitespace().collect::<Vec<_>>().join(" "), &mut out);
    }
    out
}

/// Every path into a layer that a file's code names, imported or written out.
fn paths_into(code: &str, layer: &str) -> Vec<String> {
    let marker = format!("crate::{layer}::");
    let mut found: Vec<_> = uses(code).into_iter().filter(|path| path.starts_with(&marker)).collect();
    let mut rest = code;
    while let Some(at) = rest.find(&marker) {
        let tail = &rest[at..];
        let end = tail.find(|char: char| !(char.is_alphanumeric() || char == '_' || char == ':')).unwrap_or(tail.len());
        let path = &tail[..end];
        if !path.ends_with("::") {
            found.push(path.to_owned());
        }
        rest = &rest[at + marker.len()..];
    }
    found
}

/// What a layer re-exports, and from which of its modules.
fn exports(layer: &str) -> BTreeMap<String, String> {
    let text = code(&layer_dir(layer).join("mod.rs"));
    let mut found = BTreeMap::new();
    for item in text.split(';').filter(|item| item.contains("pub use ") || item.contains("pub(crate) use ")) {
        let tree = item.rsplit_once("use ").map(|(_, tree)| tree).unwrap_or_default();
        let item = format!(
            "use {};",
            if tree.trim().starts_with("self") { tree.to_owned() } else { format!("self::{}", tree.trim()) }
        );
        for path in uses(&item) {
            let parts: Vec<_> = path.split("::").filter(|part| *part != "self").collect();
            if let [module, .., name] = parts[..] {
                found.insert(name.to_owned(), module.to_owned());
            }
        }
    }
    for line in text.lines().filter_map(|line| line.trim().strip_prefix("pub mod ")) {
        let module = line.trim_end_matches(';').to_owned();
        found.insert(module.clone(), module);
    }
    found
}

/// The top-level module of a layer that a file belongs to.
fn module_of(layer: &str, file: &Path) -> String {
    let inside = file.strip_prefix(layer_dir(layer)).unwrap();
    inside.components().next().unwrap().as_os_str().to_str().unwrap().trim_end_matches(".rs").to_owned()
}

fn layers() -> Vec<&'static str> {
    ["live", "sync", "page"].into_iter().filter(|layer| layer_dir(layer).is_dir()).collect()
}

#[test]
fn layers_know_only_what_they_may() {
    let mut wrong = Vec::new();
    for layer in layers() {
        for file in files(&layer_dir(layer)) {
            let code = code(&file);
            for other in layers().into_iter().filter(|other| *other != layer) {
                let exported = exports(other);
                for path in paths_into(&code, other) {
                    let name = path.split("::").nth(2).unwrap_or_default();
                    if layer != "page" {
                        wrong.push(format!("{}: {layer} must not know {other}: {path}", file.display()));
                    } else if !exported.contains_key(name) {
                        wrong.push(format!("{}: {path} is not what {other} re-exports", file.display()));
                    }
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn files_import_only_downwards() {
    for layer in layers() {
        let exported = exports(layer);
        let modules: BTreeSet<_> = files(&layer_dir(layer)).iter().map(|file| module_of(layer, file)).collect();
        let mut edges: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for file in files(&layer_dir(layer)) {
            let from = module_of(layer, &file);
            if from == "mod" {
                continue;
            }
            let deep = file.parent() != Some(&layer_dir(layer));
            for path in uses(&code(&file)).into_iter().chain(paths_into(&code(&file), layer)) {
                let parts: Vec<_> = path.split("::").collect();
                let name = match parts[..] {
                    ["crate", inside, name, ..] if inside == layer => name,
                    ["super", name, ..] if !deep => name,
                    _ => continue,
                };
                let to = if modules.contains(name) { name } else { exported.get(name).map_or("", String::as_str) };
                let allowed = |(a, one, two, _): &(&str, &str, &str, &str)| *a == layer && *one == from && *two == to;
                if !to.is_empty() && to != from && !EXCEPTIONS.iter().any(allowed) {
                    edges.entry(from.clone()).or_default().insert(to.to_owned());
                }
            }
        }
        assert!(!edges.is_empty(), "no imports were found in {layer}: this test reads them wrongly");
        // What imports nothing that is left is taken away; what remains in the end is a circle.
        while let Some(leaf) =
            edges.iter().find(|(_, to)| to.iter().all(|to| !edges.contains_key(to))).map(|(from, _)| from.clone())
        {
            edges.remove(&leaf);
        }
        assert!(edges.is_empty(), "files of {layer} import each other in a circle: {edges:#?}");
    }
}

#[test]
fn mod_files_hold_docs_and_names_only() {
    for layer in layers() {
        for line in code(&layer_dir(layer).join("mod.rs")).lines() {
            let item = ["fn ", "struct ", "enum ", "trait ", "impl "]
                .iter()
                .find(|item| line.trim_start().starts_with(**item));
            assert!(item.is_none(), "{layer}/mod.rs holds more than docs, modules and names: {line}");
        }
    }
}

#[test]
fn one_websocket_crate_is_in_the_lock_file() {
    let lock = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.lock")).unwrap();
    for name in ["tungstenite", "tokio-tungstenite", "axum", "hyper", "rusqlite"] {
        let count = lock.matches(&format!("\nname = \"{name}\"\n")).count();
        assert!(count <= 1, "{name} is {count} times in the lock file");
    }
}

#[test]
fn this_test_reads_imports_as_the_compiler_does() {
    let code = "use std::fmt;\npub(crate) use crate::page::{a::{B, C as D}, e};\nuse super::f::G;\nlet x = crate::live::h::I::new();";
    assert_eq!(uses(code), ["crate::page::a::B", "crate::page::a::C", "crate::page::e", "super::f::G"]);
    assert_eq!(paths_into(code, "live"), ["crate::live::h::I::new"]);
    assert!(paths_into(code, "page").contains(&"crate::page::a::B".to_owned()));
}
