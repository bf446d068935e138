//! `mizu new`: what it writes, and what it refuses to.

#![allow(clippy::unwrap_used, reason = "a test that can't go on fails here")]

mod support;

use std::fs;

use support::{checkout, files, new, refusal};
use tempfile::tempdir;

const COMMON: [&str; 19] = [
    ".gitignore",
    "Cargo.toml",
    "LICENSE",
    "Makefile",
    "README.md",
    "src/components/button.rs",
    "src/config.rs",
    "src/layout.rs",
    "src/main.rs",
    "src/pages/about.rs",
    "src/partials/footer.rs",
    "src/partials/header.rs",
    "src/partials/mod.rs",
    "src/security.rs",
    "src/statics.rs",
    "static/icon.svg",
    "static/style.css",
    "tests/server.rs",
    "tests/support/mod.rs",
];

const LIVE: [&str; 7] = [
    "src/components/cheer_list.rs",
    "src/components/mod.rs",
    "src/lib.rs",
    "src/pages/home.rs",
    "src/pages/mod.rs",
    "static/pages.css",
    "tests/pages.rs",
];

const SYNC: [&str; 13] = [
    "src/components/mod.rs",
    "src/components/todo_item.rs",
    "src/data/engine.rs",
    "src/data/mod.rs",
    "src/data/todo.rs",
    "src/lib.rs",
    "src/mutators.rs",
    "src/pages/mod.rs",
    "src/pages/todos.rs",
    "src/partials/sync_status.rs",
    "static/pages.css",
    "tests/pages.rs",
    "tests/rest.rs",
];

#[test]
fn each_template_writes_its_files() {
    let here = tempdir().unwrap();
    for (template, own) in [("live", &LIVE[..]), ("sync", &SYNC[..])] {
        let name = format!("my-{template}");
        let made = new(here.path(), &[&name, "--template", template]);
        assert!(made.status.success(), "{made:?}");
        let dir = here.path().join(&name);
        let mut expected = [&COMMON, own].concat();
        expected.sort_unstable();
        assert_eq!(files(&dir), expected);
        for file in files(&dir) {
            let text = fs::read_to_string(dir.join(&file)).unwrap();
            assert!(!text.contains("{{ ") && !text.contains("{% "), "{file} is filled in");
            assert!(text.ends_with('\n') && !text.ends_with("\n\n"), "{file} ends with one line's end");
        }
        let manifest = fs::read_to_string(dir.join("Cargo.toml")).unwrap();
        assert!(manifest.starts_with(&format!("[package]\nname = \"{name}\"\n")), "{manifest}");
        assert!(
            manifest.contains(&format!("mizu-live = {{ version = \"{}\"", env!("CARGO_PKG_VERSION"))),
            "{manifest}"
        );
        assert!(fs::read_to_string(dir.join("src/main.rs")).unwrap().contains(&format!("use my_{template}::")));
    }
    assert_eq!(fs::read_dir(here.path()).unwrap().count(), 2, "nothing is left beside the projects");
}

#[test]
fn a_project_is_named_after_its_directory() {
    let above = tempdir().unwrap();
    let here = above.path().join("My Shop");
    fs::create_dir(&here).unwrap();
    let made = new(&here, &[]);
    assert!(made.status.success(), "{made:?}");
    assert!(String::from_utf8(made.stdout).unwrap().starts_with("my-shop is in "));
    assert!(fs::read_to_string(here.join("Cargo.toml")).unwrap().contains("name = \"my-shop\""));
    let made = new(above.path(), &["--path", "apps/stall"]);
    assert!(made.status.success(), "{made:?}");
    assert!(fs::read_to_string(above.path().join("apps/stall/Cargo.toml")).unwrap().contains("name = \"stall\""));
}

#[test]
fn a_workspace_around_the_project_is_told_of() {
    let here = tempdir().unwrap();
    fs::write(here.path().join("Cargo.toml"), "[workspace]\nmembers = []\n").unwrap();
    let made = new(here.path(), &["shop"]);
    let said = String::from_utf8(made.stdout).unwrap();
    assert!(said.contains("is a workspace: add the project to its members"), "{said}");
}

#[test]
fn nothing_is_overwritten() {
    let here = tempdir().unwrap();
    let dir = here.path().join("shop");
    fs::create_dir(&dir).unwrap();
    fs::write(dir.join("notes.txt"), "mine").unwrap();
    let said = refusal(&new(here.path(), &["shop"]));
    assert!(said.contains("shop is not empty (it has notes.txt)"), "{said}");
    let said = refusal(&new(&dir, &[]));
    assert!(said.contains("give it a name, as in `mizu new shop`"), "{said}");
    fs::write(here.path().join("file"), "").unwrap();
    let said = refusal(&new(here.path(), &["file"]));
    assert!(said.contains("exists and is no directory"), "{said}");
    assert_eq!(files(here.path()), ["file", "shop/notes.txt"]);
    assert_eq!(fs::read_to_string(dir.join("notes.txt")).unwrap(), "mine");
}

#[test]
fn names_that_can_not_be_are_refused() {
    let here = tempdir().unwrap();
    for (name, why) in [
        ("fn", "it is a keyword of Rust"),
        ("2048", "it has to begin with a letter"),
        ("test", "it is a crate that comes with Rust"),
        ("mizu", "the project depends on a crate of that name"),
        ("my shop", "as in \"my-shop\""),
        ("apps/shop", "is a path"),
        ("", "a project needs a name"),
    ] {
        let said = refusal(&new(here.path(), &[name]));
        assert!(said.starts_with("error: ") && said.contains(why), "{name}: {said}");
    }
    assert_eq!(fs::read_dir(here.path()).unwrap().count(), 0);
}

#[test]
fn licenses_come_with_their_texts() {
    let here = tempdir().unwrap();
    for (at, (license, expected)) in [
        ("MIT", &["LICENSE"][..]),
        ("Apache-2.0", &["LICENSE"]),
        ("MIT OR Apache-2.0", &["LICENSE-APACHE", "LICENSE-MIT"]),
        ("none", &[]),
    ]
    .into_iter()
    .enumerate()
    {
        let name = format!("app{at}");
        let made = new(here.path(), &[&name, "--license", license]);
        assert!(made.status.success(), "{made:?}");
        let dir = here.path().join(&name);
        let texts: Vec<_> = files(&dir).into_iter().filter(|file| file.starts_with("LICENSE")).collect();
        assert_eq!(texts, expected);
        let manifest = fs::read_to_string(dir.join("Cargo.toml")).unwrap();
        assert_eq!(manifest.contains(&format!("license = \"{license}\"")), license != "none", "{manifest}");
    }
    assert!(fs::read_to_string(here.path().join("app0/LICENSE")).unwrap().contains("The authors of app0"));
    assert!(refusal(&new(here.path(), &["shop", "--license", "WTFPL"])).contains("MIT OR Apache-2.0"));
}

#[test]
fn templates_are_listed() {
    let here = tempdir().unwrap();
    let listed = new(here.path(), &["--list"]);
    let said = String::from_utf8(listed.stdout).unwrap();
    let names: Vec<_> = said.lines().filter_map(|line| line.split_whitespace().next()).collect();
    assert_eq!(names, ["live", "sync"]);
    assert!(refusal(&new(here.path(), &["shop", "--template", "nothing"])).contains("[possible values: live, sync]"));
    assert_eq!(fs::read_dir(here.path()).unwrap().count(), 0);
}

#[test]
fn a_checkout_or_a_version_is_depended_on() {
    let here = tempdir().unwrap();
    let made = new(here.path(), &["by-path", "--mizu", checkout().to_str().unwrap()]);
    assert!(made.status.success(), "{made:?}");
    let manifest = fs::read_to_string(here.path().join("by-path/Cargo.toml")).unwrap();
    let path = checkout().canonicalize().unwrap();
    assert!(manifest.contains(&format!("mizu-live = {{ path = '{}'", path.display())), "{manifest}");
    let made = new(here.path(), &["by-version", "--mizu", "=0.3.1"]);
    assert!(made.status.success(), "{made:?}");
    let manifest = fs::read_to_string(here.path().join("by-version/Cargo.toml")).unwrap();
    assert!(manifest.contains("mizu-live = { version = \"=0.3.1\""), "{manifest}");
    let said = refusal(&new(here.path(), &["shop", "--mizu", "nowhere"]));
    assert!(said.contains("neither a version"), "{said}");
    assert!(!here.path().join("shop").exists());
}
