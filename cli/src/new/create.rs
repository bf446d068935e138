//! The text of a project's files.

use std::path::PathBuf;

use minijinja::syntax::SyntaxConfig;
use minijinja::{Environment, UndefinedBehavior, context};

use super::choices::Choices;
use super::error::NewError;

/// A file of the project: its path inside of it, and its text.
pub(crate) type Rendered = (PathBuf, String);

/// Every file of a project, in the order of their paths.
pub(crate) fn render(choices: &Choices) -> Result<Vec<Rendered>, NewError> {
    let syntax = SyntaxConfig::builder().keep_trailing_newline(true).trim_blocks(true).lstrip_blocks(true).build();
    let syntax = syntax.expect("the default delimiters are a valid syntax");
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_syntax(syntax);
    environment.set_auto_escape_callback(|_| minijinja::AutoEscape::None);
    let values = context! {
        name => choices.name.as_str(),
        crate_name => choices.name.in_code(),
        title => choices.name.as_title(),
        mizu => choices.mizu.toml(),
        license => choices.license.spdx(),
        sync => choices.template == super::template::Template::Sync,
    };
    let fill = |file: &str, text: &str| {
        environment.render_str(text, &values).map_err(|source| NewError::Template { file: file.to_owned(), source })
    };
    let mut files = Vec::new();
    for file in choices.template.files() {
        files.push(match file.path.strip_suffix(".jinja") {
            Some(path) => (PathBuf::from(path), fill(path, file.text)?),
            None => (PathBuf::from(file.path), file.text.to_owned()),
        });
    }
    for (path, text) in choices.license.files() {
        files.push((PathBuf::from(path), fill(path, text)?));
    }
    files.sort();
    Ok(files)
}
