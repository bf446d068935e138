//! Names that a project may have.

use std::path::Path;

use super::error::NameError;

/// A project's name: a valid crate's name that collides with nothing the project needs.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Name(String);

const LONGEST: usize = 64;

/// Strict and reserved keywords of every edition.
const KEYWORDS: [&str; 53] = [
    "Self", "abstract", "as", "async", "await", "become", "box", "break", "const", "continue", "crate", "do", "dyn",
    "else", "enum", "extern", "false", "final", "fn", "for", "gen", "if", "impl", "in", "let", "loop", "macro",
    "match", "mod", "move", "mut", "override", "priv", "pub", "ref", "return", "self", "static", "struct", "super",
    "trait", "true", "try", "type", "typeof", "union", "unsafe", "unsized", "use", "virtual", "where", "while",
    "yield",
];

/// Names that are something else already, and what.
const TAKEN: [(&[&str], &str); 4] = [
    (&["alloc", "core", "proc_macro", "proc-macro", "std", "test"], "it is a crate that comes with Rust"),
    (&["build", "deps", "examples", "incremental"], "Cargo has a directory of that name in `target`"),
    (
        &[
            "axum",
            "maud",
            "mizu",
            "mizu-live",
            "mizu_live",
            "serde",
            "serde_json",
            "serde-json",
            "thiserror",
            "tokio",
            "tower-http",
            "tower_http",
            "tracing-subscriber",
            "tracing_subscriber",
            "uuid",
        ],
        "the project depends on a crate of that name",
    ),
    (&["aux", "con", "nul", "prn"], "Windows reserves it"),
];

impl Name {
    /// Takes a name as it is.
    pub(crate) fn new(name: &str) -> Result<Self, NameError> {
        let Some(first) = name.chars().next() else { return Err(NameError::Empty) };
        let letters = name.chars().count();
        if letters > LONGEST {
            return Err(NameError::Long { letters });
        }
        let suggestion = || suggest(name);
        if let Some(found) = name.chars().find(|char| !is_allowed(*char)) {
            return Err(NameError::Letter { name: name.to_owned(), found, suggestion: suggestion() });
        }
        if !first.is_ascii_alphabetic() {
            return Err(NameError::Start { name: name.to_owned(), suggestion: suggestion() });
        }
        if KEYWORDS.contains(&name) {
            return Err(NameError::Keyword { name: name.to_owned() });
        }
        let lower = name.to_ascii_lowercase();
        match TAKEN.iter().find(|(names, _)| names.contains(&lower.as_str())) {
            Some((_, reason)) => Err(NameError::Taken { name: name.to_owned(), reason }),
            None => Ok(Self(name.to_owned())),
        }
    }

    /// The name of a directory, made a crate's name.
    pub(crate) fn of_directory(dir: &Path) -> Result<Self, NameError> {
        let name = dir.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        Self::new(&name).or_else(|error| match error {
            NameError::Letter { suggestion, .. } | NameError::Start { suggestion, .. } => Self::new(&suggestion),
            error => Err(error),
        })
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// The name as it stands in Rust's paths.
    pub(crate) fn in_code(&self) -> String {
        self.0.replace('-', "_")
    }

    /// The name as a person reads it: `my-shop` is `My shop`.
    pub(crate) fn as_title(&self) -> String {
        let words = self.0.replace(['-', '_'], " ");
        let words = words.trim();
        let first = words.chars().next().map(|first| first.to_ascii_uppercase());
        first.into_iter().chain(words.chars().skip(1)).collect()
    }
}

fn is_allowed(char: char) -> bool {
    char.is_ascii_alphanumeric() || matches!(char, '-' | '_')
}

/// What is nearest to a name and allowed.
fn suggest(name: &str) -> String {
    let mut near = String::new();
    for char in name.to_lowercase().chars() {
        match char {
            char if char.is_ascii_alphanumeric() || char == '_' => near.push(char),
            _ if near.ends_with('-') => {}
            _ => near.push('-'),
        }
    }
    let near = near.trim_matches(['-', '_']);
    match near.chars().next() {
        None => "my-app".to_owned(),
        Some(first) if first.is_ascii_digit() => format!("app-{near}"),
        Some(_) => near.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_are_taken_as_they_are() {
        for name in ["shop", "my-shop", "my_shop", "Shop2", "a", "asynchronous", "tests"] {
            assert_eq!(Name::new(name).unwrap().as_str(), name);
        }
    }

    #[test]
    fn names_that_are_refused_say_why() {
        for (name, expected) in [
            ("", "a project needs a name, as in `mizu new shop`"),
            (
                "my shop",
                "\"my shop\" can't be a crate's name: it has ' '. Use a to z, 0 to 9, - and _, as in \"my-shop\"",
            ),
            ("café!", "\"café!\" can't be a crate's name: it has 'é'. Use a to z, 0 to 9, - and _, as in \"caf\""),
            ("水", "\"水\" can't be a crate's name: it has '水'. Use a to z, 0 to 9, - and _, as in \"my-app\""),
            ("2048", "\"2048\" can't be a crate's name: it has to begin with a letter, as in \"app-2048\""),
            ("-x", "\"-x\" can't be a crate's name: it has to begin with a letter, as in \"x\""),
            ("async", "\"async\" can't be a crate's name: it is a keyword of Rust. Try async-app"),
            ("gen", "\"gen\" can't be a crate's name: it is a keyword of Rust. Try gen-app"),
            ("test", "\"test\" can't be a project's name: it is a crate that comes with Rust. Try test-app"),
            ("mizu", "\"mizu\" can't be a project's name: the project depends on a crate of that name. Try mizu-app"),
            (
                "Mizu-Live",
                "\"Mizu-Live\" can't be a project's name: the project depends on a crate of that name. Try Mizu-Live-app",
            ),
            (
                "deps",
                "\"deps\" can't be a project's name: Cargo has a directory of that name in `target`. Try deps-app",
            ),
        ] {
            assert_eq!(Name::new(name).unwrap_err().to_string(), expected);
        }
        assert_eq!(Name::new(&"a".repeat(65)), Err(NameError::Long { letters: 65 }));
    }

    #[test]
    fn a_directory_gives_the_nearest_name() {
        for (dir, expected) in
            [("/home/ann/shop", "shop"), ("/srv/My Shop", "my-shop"), ("2026", "app-2026"), ("a  ..b", "a-b")]
        {
            assert_eq!(Name::of_directory(Path::new(dir)).unwrap().as_str(), expected);
        }
        assert_eq!(Name::of_directory(Path::new("/")), Err(NameError::Empty));
        assert!(matches!(Name::of_directory(Path::new("/x/test")), Err(NameError::Taken { .. })));
    }

    #[test]
    fn titles_are_for_people() {
        for (name, title) in [("my-shop", "My shop"), ("shop", "Shop"), ("a_b-", "A b")] {
            assert_eq!(Name::new(name).unwrap().as_title(), title);
        }
    }
}
