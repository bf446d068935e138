//! What a page's callbacks return when they fail, and what of it a person may see.

use std::any::Any;
use std::borrow::Cow;
use std::fmt;

use axum::http::StatusCode;

use super::event_error::EventError;
use crate::sync::{ApplyError, ReadError, Rejection, StoreError};

/// The result of a page callback; `?` works on every error.
///
/// # Example
///
/// ```
/// fn parse(text: &str) -> mizu::Result<i64> {
///     Ok(text.trim().parse()?)
/// }
/// assert_eq!(parse(" 7 ").unwrap(), 7);
/// assert_eq!(parse("x").unwrap_err().code(), "internal");
/// ```
pub type Result<T = (), E = Error> = std::result::Result<T, E>;

/// A failure of a page callback.
///
/// Any `std::error::Error` converts into it with `?`; such an error is logged and the person sees only that something
/// went wrong. What a person is meant to read is made with [`Error::reject`] and its relatives.
///
/// # Example
///
/// ```
/// use mizu::Error;
///
/// let error = Error::reject("out_of_stock", "Only 3 are left.");
/// assert_eq!(error.code(), "out_of_stock");
/// assert_eq!(error.public_message(), "Only 3 are left.");
/// assert_eq!(error.status(), 422);
///
/// let foreign = Error::from(std::io::Error::other("disk 7 is on fire"));
/// assert_eq!(foreign.public_message(), "Something went wrong on our side.");
/// ```
pub struct Error(Box<Repr>);

struct Repr {
    code: Cow<'static, str>,
    status: StatusCode,
    message: Cow<'static, str>,
    location: Option<String>,
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl Error {
    fn new(code: impl Into<Cow<'static, str>>, status: StatusCode, message: impl Into<Cow<'static, str>>) -> Self {
        Self(Box::new(Repr { code: code.into(), status, message: message.into(), location: None, source: None }))
    }

    /// Refuses what was asked, with a code for programs and a message for the person. Status 422.
    pub fn reject(code: impl Into<Cow<'static, str>>, message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(code, StatusCode::UNPROCESSABLE_ENTITY, message)
    }

    /// The page or thing asked for is not there. Status 404.
    ///
    /// ```
    /// assert_eq!(mizu::Error::not_found("There is no such room.").status(), 404);
    /// ```
    pub fn not_found(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new("not_found", StatusCode::NOT_FOUND, message)
    }

    /// Who asks is not known. Status 401.
    ///
    /// ```
    /// assert_eq!(mizu::Error::unauthorized("Sign in first.").code(), "unauthorized");
    /// ```
    pub fn unauthorized(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new("unauthorized", StatusCode::UNAUTHORIZED, message)
    }

    /// Who asks is known and may not. Status 403.
    ///
    /// ```
    /// assert_eq!(mizu::Error::forbidden("This room is private.").status(), 403);
    /// ```
    pub fn forbidden(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new("forbidden", StatusCode::FORBIDDEN, message)
    }

    /// Leaves the page for `to` instead of showing it: the way out of a `mount` that has nothing to show.
    ///
    /// ```
    /// assert_eq!(mizu::Error::redirect("/sign-in").location(), Some("/sign-in"));
    /// ```
    pub fn redirect(to: impl Into<String>) -> Self {
        let mut error = Self::new("redirect", StatusCode::SEE_OTHER, "");
        error.0.location = Some(to.into());
        error
    }

    /// What an extractor or a middleware answered instead: its status, and where it leads.
    pub(crate) fn of_response(response: axum::response::Response) -> Self {
        let status = response.status();
        let location = response.headers().get(axum::http::header::LOCATION).and_then(|to| to.to_str().ok());
        if let (true, Some(to)) = (status.is_redirection(), location) {
            return Self::redirect(to);
        }
        let code = match status {
            StatusCode::UNAUTHORIZED => "unauthorized",
            StatusCode::FORBIDDEN => "forbidden",
            StatusCode::NOT_FOUND => "not_found",
            status if status.is_client_error() => "bad_request",
            _ => "internal",
        };
        let status = if status.is_client_error() { status } else { StatusCode::INTERNAL_SERVER_ERROR };
        Self::new(code, status, status.canonical_reason().unwrap_or("Refused"))
    }

    /// The stable code a program can act on; `internal` for foreign errors.
    pub fn code(&self) -> &str {
        &self.0.code
    }

    /// The HTTP status this error becomes when the page is fetched or posted to without scripts.
    pub fn status(&self) -> StatusCode {
        self.0.status
    }

    /// What a person may read. A foreign error's own text is never part of it.
    pub fn public_message(&self) -> &str {
        &self.0.message
    }

    /// Where [`Error::redirect`] leads.
    pub fn location(&self) -> Option<&str> {
        self.0.location.as_deref()
    }

    /// The foreign error behind this one, for logs.
    ///
    /// ```
    /// let error = mizu::Error::from(std::io::Error::other("disk 7 is on fire"));
    /// assert_eq!(error.source().unwrap().to_string(), "disk 7 is on fire");
    /// ```
    pub fn source(&self) -> Option<&(dyn std::error::Error + Send + Sync + 'static)> {
        self.0.source.as_deref()
    }
}

impl<E: std::error::Error + Send + Sync + 'static> From<E> for Error {
    fn from(error: E) -> Self {
        // An event that does not fit is the sender's mistake; its message is ours and names field and value.
        let mut made = match (&error as &dyn Any).downcast_ref::<EventError>() {
            Some(event) => Self::reject("invalid_event", event.to_string()),
            None => match refused(&error) {
                Some(rejection) => Self::reject(rejection.code().to_owned(), rejection.message().to_owned()),
                None if away(&error) => Self::new(
                    "unavailable",
                    StatusCode::SERVICE_UNAVAILABLE,
                    "This can't be done right now. Please try again.",
                ),
                None => Self::new("internal", StatusCode::INTERNAL_SERVER_ERROR, "Something went wrong on our side."),
            },
        };
        made.0.source = Some(Box::new(error));
        made
    }
}

/// A mutation that was refused: its message is for the person.
fn refused(error: &dyn Any) -> Option<&Rejection> {
    match error.downcast_ref::<ApplyError>() {
        Some(ApplyError::Rejected(rejection)) => Some(rejection),
        Some(_) => None,
        None => error.downcast_ref::<Rejection>(),
    }
}

/// What durable data is kept in, or what carries messages between nodes, is out of reach.
fn away(error: &dyn Any) -> bool {
    let apply = error.downcast_ref::<ApplyError>();
    error.is::<StoreError>()
        || matches!(error.downcast_ref(), Some(ReadError::Store(_)))
        || apply.is_some_and(|error| matches!(error, ApplyError::Unavailable(_) | ApplyError::Store(_)))
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.0.source, &self.0.location) {
            (Some(source), _) => write!(f, "{}: {source}", self.0.code),
            (None, Some(to)) => write!(f, "redirect to {to}"),
            (None, None) => write!(f, "{}: {}", self.0.code, self.0.message),
        }
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")?;
        let mut cause = self.0.source.as_deref().and_then(|source| source.source());
        while let Some(error) = cause {
            write!(f, "\n  because: {error}")?;
            cause = error.source();
        }
        Ok(())
    }
}
