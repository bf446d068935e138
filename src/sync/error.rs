//! What can go wrong with a mutation.

use std::borrow::Cow;
use std::error::Error as StdError;
use std::fmt;
use std::sync::Arc;

use serde::Serialize;

/// What a mutator gives back.
///
/// ```
/// use mizu::sync::{self, Tx};
///
/// async fn nothing(_tx: &mut Tx, _args: ()) -> sync::Result { Ok(()) }
/// # let _ = nothing;
/// ```
pub type Result<T = (), E = Error> = std::result::Result<T, E>;

/// Why a mutation was refused for good: what the person reads, and what the program knows it by.
///
/// # Shape
///
/// The code is a word of `a-z 0-9 _` by convention. Mizu's own: `invalid`, `unknown_mutator`, `scope_forbidden`, `undeclared_scope`,
/// `mutator_panicked`, `mutator_awaited`, `too_large`, `exists`, `not_found`, `constraint`, `internal`.
///
/// ```
/// use mizu::sync::Rejection;
///
/// let rejection = Rejection::new("too_long", "A title has at most 100 characters.");
/// assert_eq!(rejection.code(), "too_long");
/// assert_eq!(rejection.to_string(), "A title has at most 100 characters.");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Rejection {
    code: Cow<'static, str>,
    #[serde(rename = "error")]
    message: String,
}

impl Rejection {
    /// Longer texts are cut, so that a log stays small.
    const LONGEST: usize = 1_000;

    /// A refusal with a code for the program and a message for the person.
    ///
    /// ```
    /// # use mizu::sync::Rejection;
    /// assert_eq!(Rejection::new("closed", "The poll is closed.").code(), "closed");
    /// ```
    pub fn new(code: impl Into<Cow<'static, str>>, message: impl Into<String>) -> Self {
        let mut code = code.into();
        let mut message = message.into();
        for (text, most) in [(code.to_mut(), 100), (&mut message, Self::LONGEST)] {
            text.retain(|char| char != '\0');
            if text.len() > most {
                let end = (0..=most).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
                text.truncate(end);
            }
        }
        Self { code, message }
    }

    /// What the program knows it by.
    ///
    /// ```
    /// # use mizu::sync::Rejection;
    /// assert_eq!(Rejection::new("closed", "").code(), "closed");
    /// ```
    pub fn code(&self) -> &str {
        &self.code
    }

    /// What the person reads.
    ///
    /// ```
    /// # use mizu::sync::Rejection;
    /// assert_eq!(Rejection::new("closed", "No more.").message(), "No more.");
    /// ```
    pub fn message(&self) -> &str {
        &self.message
    }
}

impl fmt::Display for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl StdError for Rejection {}

/// A store could not do what it was asked; trying again later may help.
///
/// ```
/// use mizu::sync::StoreError;
///
/// let error = StoreError::new("the disk is full", std::io::Error::other("no space left"));
/// assert_eq!(error.to_string(), "the disk is full: no space left");
/// ```
#[derive(Clone, Debug)]
pub struct StoreError {
    what: Cow<'static, str>,
    source: Option<Arc<dyn StdError + Send + Sync>>,
}

impl StoreError {
    /// What the store was doing, and what came of it.
    ///
    /// ```
    /// # use mizu::sync::StoreError;
    /// let error = StoreError::new("reading", std::fmt::Error);
    /// assert!(std::error::Error::source(&error).is_some());
    /// ```
    pub fn new(what: impl Into<Cow<'static, str>>, source: impl StdError + Send + Sync + 'static) -> Self {
        Self { what: what.into(), source: Some(Arc::new(source)) }
    }

    /// An error that no other caused.
    ///
    /// ```
    /// # use mizu::sync::StoreError;
    /// assert_eq!(StoreError::message("the store is closed").to_string(), "the store is closed");
    /// ```
    pub fn message(what: impl Into<Cow<'static, str>>) -> Self {
        Self { what: what.into(), source: None }
    }
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)?;
        match &self.source {
            Some(source) => write!(f, ": {source}"),
            None => Ok(()),
        }
    }
}

impl StdError for StoreError {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.source.as_ref().map(|source| &**source as &(dyn StdError + 'static))
    }
}

/// Why a mutator did not go through.
///
/// ```
/// use mizu::sync::{self, Error, Tx};
///
/// async fn vote(tx: &mut Tx, choice: u8) -> sync::Result {
///     if choice > 3 {
///         return Err(tx.reject("no_such_choice", "Choose 0 to 3."));
///     }
///     Ok(())
/// }
/// # let _ = vote;
/// assert!(matches!(Error::unavailable("the rates are not in yet"), Error::Unavailable(_)));
/// ```
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// For good: its effects are undone, and the refusal is acknowledged like a success.
    #[error(transparent)]
    Rejected(#[from] Rejection),
    /// For now: nothing is acknowledged, the client sends it again later.
    #[error("{0}")]
    Unavailable(String),
    /// The store failed: nothing is acknowledged, the client sends it again later.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Error {
    /// The mutation can't be done now, and may be done later.
    ///
    /// ```
    /// # use mizu::sync::Error;
    /// assert_eq!(Error::unavailable("later").to_string(), "later");
    /// ```
    pub fn unavailable(why: impl Into<String>) -> Self {
        Self::Unavailable(why.into())
    }
}

impl From<super::ids::NameError> for Error {
    fn from(error: super::ids::NameError) -> Self {
        Self::Rejected(Rejection::new("invalid", error.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_of_rejections_are_bounded() {
        let rejection = Rejection::new("c\0ode", "ä".repeat(2_000));
        assert_eq!(rejection.code(), "code");
        assert_eq!(rejection.message().len(), 1_000);
    }
}
