//! What PostgreSQL says when it can't.

use std::error::Error as StdError;
use std::fmt;
use std::io;

use deadpool_postgres::PoolError;
use tokio_postgres::error::{DbError, SqlState};

use crate::sync::error::{Error, Rejection, StoreError};

/// An error of the server or the connection, with everything in its text that helps to find the cause.
#[derive(Debug)]
pub(super) struct Fault(tokio_postgres::Error);

impl From<tokio_postgres::Error> for Fault {
    fn from(error: tokio_postgres::Error) -> Self {
        Self(error)
    }
}

impl Fault {
    /// Whether the connection is gone, so that another may do.
    pub(super) fn lost(&self) -> bool {
        match self.0.code() {
            Some(code) => {
                [SqlState::ADMIN_SHUTDOWN, SqlState::CRASH_SHUTDOWN, SqlState::CANNOT_CONNECT_NOW].contains(code)
            }
            None => self.0.is_closed() || self.0.source().is_some_and(|source| source.is::<io::Error>()),
        }
    }

    /// Whether a statement was planned when its tables were others.
    pub(super) fn outdated(&self) -> bool {
        self.0.as_db_error().is_some_and(|error| {
            *error.code() == SqlState::FEATURE_NOT_SUPPORTED && error.message().contains("cached plan")
        })
    }

    pub(super) fn store(self, what: &'static str) -> StoreError {
        StoreError::new(what, self)
    }

    /// What an app's own statement came to.
    pub(super) fn refusal(self) -> Error {
        if self.lost() {
            return Error::Store(self.store("PostgreSQL"));
        }
        let code = self.0.as_db_error().map_or("", |error| error.code().code());
        match code.get(..2).unwrap_or_default() {
            "22" | "23" => Error::Rejected(Rejection::new("constraint", self.message())),
            "40" | "08" | "53" | "55" | "57" => Error::unavailable(self.to_string()),
            _ => {
                tracing::error!(error = %self, "a statement in a mutator failed");
                Error::Rejected(Rejection::new("internal", self.message()))
            }
        }
    }

    fn message(&self) -> String {
        self.0.as_db_error().map_or_else(|| self.to_string(), |error| error.message().to_owned())
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(error) = self.0.as_db_error() {
            return described(error, f);
        }
        write!(f, "{}", self.0)?;
        match self.0.source() {
            Some(source) => write!(f, ": {source}"),
            None => Ok(()),
        }
    }
}

impl StdError for Fault {}

fn described(error: &DbError, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    write!(f, "{} (SQLSTATE {})", error.message(), error.code().code())?;
    for more in [error.detail(), error.hint()].into_iter().flatten() {
        write!(f, "; {more}")?;
    }
    Ok(())
}

/// Why no connection could be had.
pub(super) fn no_connection(error: PoolError) -> StoreError {
    match error {
        PoolError::Backend(error) => Fault(error).store("connecting to PostgreSQL"),
        error => StoreError::new("waiting for a connection to PostgreSQL", error),
    }
}

/// A value of a column that is not what this crate wrote.
pub(super) fn odd(what: &'static str) -> StoreError {
    StoreError::message(what)
}
