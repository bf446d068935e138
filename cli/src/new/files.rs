//! The files of the templates. A path that ends in `.jinja` is filled in, and loses that end.

/// A file of a template.
#[derive(Debug)]
pub(crate) struct File {
    pub(crate) path: &'static str,
    pub(crate) text: &'static str,
}

macro_rules! files {
    ($dir:literal: $($file:literal)*) => {
        &[$(File { path: $file, text: include_str!(concat!("../../templates/", $dir, "/", $file)) }),*]
    };
}

/// What all projects have.
pub(crate) const COMMON: &[File] = files! { "common":
    ".gitignore.jinja"
    "Cargo.toml.jinja"
    "Makefile"
    "README.md.jinja"
    "src/components/button.rs"
    "src/config.rs"
    "src/layout.rs"
    "src/main.rs.jinja"
    "src/pages/about.rs"
    "src/partials/footer.rs"
    "src/partials/header.rs.jinja"
    "src/partials/mod.rs.jinja"
    "src/security.rs"
    "src/statics.rs"
    "static/icon.svg"
    "static/style.css"
    "tests/server.rs"
    "tests/support/mod.rs.jinja"
};

/// What live pages have besides.
pub(crate) const LIVE: &[File] = files! { "live":
    "src/components/cheer_list.rs"
    "src/components/mod.rs"
    "src/lib.rs"
    "src/pages/home.rs"
    "src/pages/mod.rs"
    "static/pages.css"
    "tests/pages.rs.jinja"
};

/// What pages over durable data have besides.
pub(crate) const SYNC: &[File] = files! { "sync":
    "src/components/mod.rs"
    "src/components/todo_item.rs"
    "src/data/engine.rs"
    "src/data/mod.rs"
    "src/data/todo.rs"
    "src/lib.rs"
    "src/mutators.rs"
    "src/pages/mod.rs"
    "src/pages/todos.rs"
    "src/partials/sync_status.rs"
    "static/pages.css"
    "tests/pages.rs.jinja"
    "tests/rest.rs.jinja"
};
