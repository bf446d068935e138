//! Asking at a terminal.

use std::io::{IsTerminal, stdin, stdout};

use dialoguer::{Input, Select};

use super::error::NewError;
use super::license::License;
use super::name::Name;
use super::template::Template;

/// Who answers what was not said on the command line.
pub(crate) trait Ask {
    fn name(&self) -> Result<String, NewError>;
    fn template(&self) -> Result<Template, NewError>;
    fn license(&self) -> Result<License, NewError>;
}

/// A person at a terminal.
pub(crate) struct Terminal;

impl Terminal {
    /// The terminal, if somebody sits at it.
    pub(crate) fn attached() -> Option<Self> {
        (stdin().is_terminal() && stdout().is_terminal()).then_some(Self)
    }
}

impl Ask for Terminal {
    fn name(&self) -> Result<String, NewError> {
        let valid = |name: &String| Name::new(name).map(drop).map_err(|error| error.to_string());
        Input::new().with_prompt("What is it called").validate_with(valid).interact_text().map_err(NewError::Ask)
    }

    fn template(&self) -> Result<Template, NewError> {
        let lines = Template::ALL.map(|template| format!("{}: {}", template.name(), template.about()));
        let chosen = Select::new().with_prompt("What does it start with").items(lines).default(0).interact();
        Ok(Template::ALL[chosen.map_err(NewError::Ask)?])
    }

    fn license(&self) -> Result<License, NewError> {
        let licenses = [License::Mit, License::Apache, License::Either, License::None];
        let lines = licenses.map(|license| license.spdx().unwrap_or("none: all rights reserved"));
        let chosen = Select::new().with_prompt("Which license").items(lines).default(0).interact();
        Ok(licenses[chosen.map_err(NewError::Ask)?])
    }
}
