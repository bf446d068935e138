//! Mutations on their way to the engine, and what comes back.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::change::Status;
use super::cursor::Cursor;
use super::error::{Rejection, StoreError};
use super::ids::{ClientId, Scope, Seq};

/// A mutation that the server's own code applies: see [`Engine::apply`](crate::sync::Engine::apply).
///
/// ```
/// use mizu::sync::{Mutation, Scope};
///
/// let scope = Scope::new("notes").unwrap();
/// let mutation = Mutation::new(&scope, "note.delete", &serde_json::json!({ "id": "n1" })).unwrap().key("job 17, step 2");
/// # let _ = mutation;
/// ```
#[derive(Clone, Debug)]
pub struct Mutation {
    pub(crate) scope: Scope,
    pub(crate) name: String,
    pub(crate) args: Box<RawValue>,
    pub(crate) key: Option<String>,
}

impl Mutation {
    /// A mutation of a scope by its mutator's name.
    ///
    /// # Errors
    ///
    /// - The arguments have no form in JSON.
    ///
    /// ```
    /// # use mizu::sync::{Mutation, Scope};
    /// assert!(Mutation::new(&Scope::new("s").unwrap(), "clear", &()).is_ok());
    /// ```
    pub fn new<A: Serialize + ?Sized>(scope: &Scope, name: &str, args: &A) -> Result<Self, serde_json::Error> {
        let args = serde_json::value::to_raw_value(args)?;
        Ok(Self { scope: scope.clone(), name: name.to_owned(), args, key: None })
    }

    /// Applies it once however often it is tried with this key, as long as outcomes are kept
    /// ([`Retention`](crate::sync::Retention)). Without a key every call is a mutation of its own.
    ///
    /// # Shape
    ///
    /// 1 to 200 bytes without control characters.
    ///
    /// ```
    /// # use mizu::sync::{Mutation, Scope};
    /// let once = Mutation::new(&Scope::new("s").unwrap(), "clear", &()).unwrap().key("nightly 2026-11-21");
    /// # let _ = once;
    /// ```
    #[must_use]
    pub fn key(mut self, key: impl Into<String>) -> Self {
        self.key = Some(key.into());
        self
    }
}

/// A mutation as a client sends it.
///
/// # Shape
///
/// `{"seq": 1, "id": "<UUID>", "name": "note.create", "scope": "notes", "args": {..}}`
///
/// ```
/// let sent: mizu::sync::Sent = serde_json::from_str(r#"{"seq":1,"name":"clear","scope":"notes"}"#).unwrap();
/// assert_eq!(sent.args.get(), "null");
/// ```
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Sent {
    /// Its number within its client.
    pub seq: Seq,
    /// Its name in traces.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub id: String,
    /// Its mutator.
    pub name: String,
    /// The scope it is about. One that is not of a scope's shape is refused with the mutation, not with the push.
    pub scope: String,
    /// Its arguments.
    #[serde(default = "null")]
    pub args: Box<RawValue>,
}

fn null() -> Box<RawValue> {
    RawValue::NULL.to_owned()
}

/// What a client sends at once.
///
/// # Shape
///
/// `{"client": "<id>", "user": "<key>", "mutations": [..]}`; `user` may be missing.
///
/// ```
/// let push: mizu::sync::Push = serde_json::from_str(r#"{"client":"k3nU0cVbT2yqfZQhJ7xA1g","mutations":[]}"#).unwrap();
/// assert!(push.mutations.is_empty());
/// ```
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Push {
    /// Who numbered the mutations.
    pub client: ClientId,
    /// Whose local store it is, by the user's key. Refused if somebody else asks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// In the order of their numbers.
    pub mutations: Vec<Sent>,
}

/// What came of a mutation, and where its scope's log is now.
///
/// ```
/// use mizu::sync::{Outcome, Seq, Status};
///
/// let outcome = Outcome { seq: Seq::new(1), status: Status::Applied, cursor: None };
/// assert_eq!(serde_json::to_string(&outcome).unwrap(), r#"{"seq":1,"status":"applied"}"#);
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Outcome {
    /// Its number; 0 for a call within the server.
    pub seq: Seq,
    /// What came of it.
    #[serde(flatten)]
    pub status: Status,
    /// The place of its acknowledgement in its scope's log.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cursor: Option<Cursor>,
}

/// What came of a push: the outcomes of those that were processed, and why the rest was not.
///
/// ```
/// use mizu::sync::Pushed;
/// assert!(Pushed { results: vec![], stop: None }.stop.is_none());
/// ```
#[derive(Clone, Debug)]
pub struct Pushed {
    /// One for each processed mutation, in order.
    pub results: Vec<Outcome>,
    /// Why it went no further.
    pub stop: Option<PushError>,
}

/// Why a push was not processed to its end. Sending the same again is harmless.
///
/// ```
/// use mizu::sync::{PushError, Seq};
/// assert!(PushError::Gap { expected: Seq::new(3) }.to_string().contains('3'));
/// ```
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PushError {
    /// A number is missing.
    #[error("mutations are processed in order, and number {} is the next", expected.get())]
    Gap {
        /// The number that is wanted.
        expected: Seq,
    },
    /// The store does not know the client, and this is not its first mutation: it was restored from a backup, say.
    #[error("this client is not known here; its first mutation must be number 1")]
    ClientUnknown,
    /// The client belongs to another user.
    #[error("this client belongs to another user")]
    ClientForeign,
    /// The store belongs to another user than the one who asks.
    #[error("you are not the user whose mutations these are")]
    OtherUser,
    /// The number was used for another content.
    #[error("mutation {} was sent before with another content", seq.get())]
    SeqReused {
        /// The number.
        seq: Seq,
    },
    /// More at once than may be.
    #[error("a push holds at most {most} mutations")]
    TooMany {
        /// How many may be.
        most: usize,
    },
    /// A mutation can't be done now.
    #[error("{0}")]
    Unavailable(String),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Why a call within the server did not go through.
///
/// ```
/// use mizu::sync::{ApplyError, Rejection};
/// assert_eq!(ApplyError::from(Rejection::new("closed", "Too late.")).to_string(), "Too late.");
/// ```
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ApplyError {
    /// Refused for good.
    #[error(transparent)]
    Rejected(#[from] Rejection),
    /// The key was used for another mutation.
    #[error("the key {0:?} was used for another mutation")]
    KeyReused(String),
    /// It can't be done now.
    #[error("{0}")]
    Unavailable(String),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}
