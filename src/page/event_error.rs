//! What is wrong with an event, in words that are safe to show.

use std::fmt::Display;

/// Why an event could not be read as the handler wants it. Its text names the field and the value, and is safe to show.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EventError {
    /// A value or field the handler needs was not sent.
    #[error("event {event:?} has no value or field {field:?}")]
    Missing {
        /// The event's name.
        event: String,
        /// The name that was looked for.
        field: String,
    },
    /// A value or field was sent, but is not of the type the handler wants.
    #[error("field {field:?} has the value {value:?}: {reason}")]
    Invalid {
        /// The field's name.
        field: String,
        /// What was sent, cut after 100 characters.
        value: String,
        /// Why that does not do.
        reason: String,
    },
    /// The event's name is none of the enum's variants.
    #[error("unknown event {event:?}: {reason}")]
    Unknown {
        /// The event's name.
        event: String,
        /// What would have been known.
        reason: String,
    },
    /// The fields as a whole do not fit: one is missing, or the type cannot be read from fields.
    #[error("the event does not fit: {reason}")]
    Undecodable {
        /// What is missing.
        reason: String,
    },
}

impl EventError {
    pub(crate) fn invalid(field: &str, value: &str, reason: impl Display) -> Self {
        let value = value.chars().take(100).collect();
        Self::Invalid { field: field.to_owned(), value, reason: reason.to_string() }
    }
}
