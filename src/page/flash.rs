//! One-time messages to the person: saved, refused, expired.

use maud::{Markup, html};
use serde::{Deserialize, Serialize};

/// How a flash message is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FlashKind {
    /// It worked.
    Success,
    /// It did not work.
    Error,
    /// It worked, but.
    Warning,
    /// Good to know.
    Info,
}

impl FlashKind {
    /// The CSS class of a message of this kind.
    ///
    /// ```
    /// assert_eq!(mizu::FlashKind::Error.class(), "lv-flash-error");
    /// ```
    pub fn class(self) -> &'static str {
        match self {
            Self::Success => "lv-flash-success",
            Self::Error => "lv-flash-error",
            Self::Warning => "lv-flash-warning",
            Self::Info => "lv-flash-info",
        }
    }
}

/// The messages a session shows until the person's next action. They survive a redirect and a reload by POST.
///
/// # Example
///
/// ```
/// use mizu::{Flash, FlashKind};
///
/// let mut flash = Flash::default();
/// flash.success("Saved.");
/// assert_eq!(flash.iter().next(), Some((FlashKind::Success, "Saved.")));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Flash(Vec<(FlashKind, String)>);

impl Flash {
    /// Adds a message that something worked.
    pub fn success(&mut self, message: impl Into<String>) {
        self.push(FlashKind::Success, message);
    }

    /// Adds a message that something did not work.
    pub fn error(&mut self, message: impl Into<String>) {
        self.push(FlashKind::Error, message);
    }

    /// Adds a warning.
    pub fn warning(&mut self, message: impl Into<String>) {
        self.push(FlashKind::Warning, message);
    }

    /// Adds a notice.
    pub fn info(&mut self, message: impl Into<String>) {
        self.push(FlashKind::Info, message);
    }

    /// Adds a message of a kind.
    pub fn push(&mut self, kind: FlashKind, message: impl Into<String>) {
        self.0.push((kind, message.into()));
    }

    /// Removes every message.
    pub fn clear(&mut self) {
        self.0.clear();
    }

    /// Whether there is no message.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The messages, oldest first.
    pub fn iter(&self) -> impl Iterator<Item = (FlashKind, &str)> {
        self.0.iter().map(|(kind, message)| (*kind, message.as_str()))
    }

    pub(crate) fn markup(&self) -> Markup {
        html! { @for (kind, message) in self.iter() { p class=(kind.class()) { (message) } } }
    }
}
