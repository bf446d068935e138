//! The names that rows, logs and clients go by.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::edge::Who;

/// A name is not of its shape.
///
/// ```
/// let error = "".parse::<mizu::sync::Scope>().unwrap_err();
/// assert!(error.to_string().contains("scope"));
/// ```
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what} must be {shape}, not {given:?}")]
pub struct NameError {
    what: &'static str,
    shape: &'static str,
    given: String,
}

impl NameError {
    fn new(what: &'static str, shape: &'static str, given: &str) -> Self {
        let given = given.chars().take(100).collect();
        Self { what, shape, given }
    }
}

/// Whether a text has so many bytes, and no character that logs and databases trip over.
fn plain(text: &str, most: usize) -> bool {
    !text.is_empty() && text.len() <= most && !text.chars().any(char::is_control)
}

fn word(text: &str, shortest: usize, most: usize, besides: &str) -> bool {
    (shortest..=most).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || besides.as_bytes().contains(&byte))
}

/// What is synchronised as one: rows with one log, one order and one set of people who may see them.
///
/// # Shape
///
/// 1 to 200 bytes without control characters; not starting with `!`. By convention words joined with colons: `notes`,
/// `user:ada:todos`, `project:17`.
///
/// ```
/// use mizu::sync::Scope;
///
/// let scope: Scope = "project:17".parse()?;
/// assert_eq!(scope.as_str(), "project:17");
/// assert!("!inner".parse::<Scope>().is_err());
/// # Ok::<(), mizu::sync::NameError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Scope(Arc<str>);

impl Scope {
    const SHAPE: &str = "1 to 200 bytes without control characters, not starting with `!`";

    /// The scope of this name.
    ///
    /// # Errors
    ///
    /// - The name is not of the shape.
    ///
    /// ```
    /// assert!(mizu::sync::Scope::new("notes").is_ok());
    /// ```
    pub fn new(name: &str) -> Result<Self, NameError> {
        match plain(name, 200) && !name.starts_with('!') {
            true => Ok(Self(name.into())),
            false => Err(NameError::new("a scope", Self::SHAPE, name)),
        }
    }

    /// The scope `user:KEY:NAME`, which only this user may use where the app says nothing else.
    ///
    /// Colons and percent signs in the key are written as `%3A` and `%25`, so that no key reaches into another's scopes.
    ///
    /// # Errors
    ///
    /// - The result is not of the shape.
    ///
    /// ```
    /// use mizu::sync::Scope;
    /// assert_eq!(Scope::of_user("ada", "todos")?.as_str(), "user:ada:todos");
    /// assert_eq!(Scope::of_user("a:b", "todos")?.as_str(), "user:a%3Ab:todos");
    /// # Ok::<(), mizu::sync::NameError>(())
    /// ```
    pub fn of_user(key: &str, name: &str) -> Result<Self, NameError> {
        Self::new(&format!("{}:{name}", user_prefix(key)))
    }

    /// Where the outcomes of a client's mutations go that touched no scope it may write to. Nobody can pull it.
    pub(crate) fn private(client: &str) -> Self {
        Self(format!("!{client}").into())
    }

    /// A name that a store gave, or one that stands between two of them.
    #[cfg(feature = "sqlite")]
    pub(crate) fn from_store(name: &str) -> Self {
        Self(name.into())
    }

    /// Whether it is derived from this signed-in user: `user:KEY` or `user:KEY:…`, the key written as [`of_user`](Self::of_user) writes it. It is
    /// what an app without [`authorize`](crate::sync::EngineBuilder::authorize) goes by; one with it says so itself.
    ///
    /// ```
    /// use mizu::sync::Scope;
    /// # use mizu::{Identity, Who};
    /// # #[derive(Clone, PartialEq)] struct User(String);
    /// # impl Identity for User { fn key(&self) -> String { self.0.clone() } }
    /// let (ada, other) = (Who::new(User("a".into())), Scope::of_user("a:b", "todos")?);
    /// assert!(Scope::of_user("a", "todos")?.belongs_to(&ada) && !other.belongs_to(&ada));
    /// # Ok::<(), mizu::sync::NameError>(())
    /// ```
    pub fn belongs_to(&self, who: &Who) -> bool {
        let key = who.key();
        let rest = self.0.strip_prefix(&user_prefix(&key));
        !key.is_empty() && rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(':'))
    }

    /// The name.
    ///
    /// ```
    /// assert_eq!(mizu::sync::Scope::new("notes").unwrap().as_str(), "notes");
    /// ```
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

fn user_prefix(key: &str) -> String {
    format!("user:{}", key.replace('%', "%25").replace(':', "%3A"))
}

/// One copy of a store in one browser, or any other sender of numbered mutations.
///
/// # Shape
///
/// 22 to 64 characters of `A-Z a-z 0-9 _ -`, made by the client from at least 128 random bits.
///
/// ```
/// use mizu::sync::ClientId;
///
/// assert!("k3nU0cVbT2yqfZQhJ7xA1g".parse::<ClientId>().is_ok());
/// assert!("bob".parse::<ClientId>().is_err());
/// assert_ne!(ClientId::random(), ClientId::random());
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ClientId(Arc<str>);

impl ClientId {
    const SHAPE: &str = "22 to 64 characters of A-Z a-z 0-9 _ -";

    /// The client of this id.
    ///
    /// # Errors
    ///
    /// - The id is not of the shape.
    ///
    /// ```
    /// assert!(mizu::sync::ClientId::new("short").is_err());
    /// ```
    pub fn new(id: &str) -> Result<Self, NameError> {
        match word(id, 22, 64, "_-") {
            true => Ok(Self(id.into())),
            false => Err(NameError::new("a client id", Self::SHAPE, id)),
        }
    }

    /// A new one.
    ///
    /// ```
    /// assert_eq!(mizu::sync::ClientId::random().as_str().len(), 32);
    /// ```
    pub fn random() -> Self {
        Self(format!("{:032x}", rand::random::<u128>()).into())
    }

    /// The id.
    ///
    /// ```
    /// let client = mizu::sync::ClientId::random();
    /// assert_eq!(mizu::sync::ClientId::new(client.as_str()), Ok(client.clone()));
    /// ```
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The number of a mutation within its client: 1, 2, 3 and so on, without gaps.
///
/// ```
/// use mizu::sync::Seq;
/// assert_eq!(Seq::new(7).get(), 7);
/// assert_eq!(Seq::new(7).next(), Seq::new(8));
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Seq(u64);

impl Seq {
    /// The mutation of this number; 0 stands before the first.
    ///
    /// ```
    /// assert_eq!(mizu::sync::Seq::new(0), mizu::sync::Seq::default());
    /// ```
    pub const fn new(seq: u64) -> Self {
        Self(seq)
    }

    /// The number.
    ///
    /// ```
    /// assert_eq!(mizu::sync::Seq::new(3).get(), 3);
    /// ```
    pub const fn get(self) -> u64 {
        self.0
    }

    /// The one after it.
    ///
    /// ```
    /// assert_eq!(mizu::sync::Seq::new(0).next().get(), 1);
    /// ```
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

/// Whether a text can name a kind of rows.
pub(crate) fn check_entity(name: &str) -> Result<(), NameError> {
    match word(name, 1, 64, "_-.") {
        true => Ok(()),
        false => Err(NameError::new("an entity's name", "1 to 64 characters of A-Z a-z 0-9 _ - .", name)),
    }
}

/// Whether a text can name a row.
pub(crate) fn check_row(id: &str) -> Result<(), NameError> {
    match plain(id, 128) {
        true => Ok(()),
        false => Err(NameError::new("a row's id", "1 to 128 bytes without control characters", id)),
    }
}

/// Whether a text can name a mutation.
pub(crate) fn check_mutation(name: &str) -> Result<(), NameError> {
    match word(name, 1, 100, "_-./:") {
        true => Ok(()),
        false => Err(NameError::new("a mutation's name", "1 to 100 characters of A-Z a-z 0-9 _ - . / :", name)),
    }
}

macro_rules! text {
    ($name:ident) => {
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl FromStr for $name {
            type Err = NameError;

            fn from_str(text: &str) -> Result<Self, NameError> {
                Self::new(text)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.0)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = std::borrow::Cow::<str>::deserialize(deserializer)?;
                Self::new(&text).map_err(serde::de::Error::custom)
            }
        }
    };
}

text!(Scope);
text!(ClientId);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::edge::Identity;

    #[test]
    fn names_have_their_shapes() {
        for good in ["a", "notes", "user:ada:todos", "Übung/1", &"x".repeat(200), "'; DROP TABLE mizu_log; --"] {
            assert!(Scope::new(good).is_ok(), "{good}");
        }
        for bad in ["", "!x", "a\0b", "a\nb", "\u{85}", &"x".repeat(201)] {
            assert!(Scope::new(bad).is_err(), "{bad:?}");
        }
        for bad in ["", "a b", "ä", "a'b", &"x".repeat(65)] {
            assert!(check_entity(bad).is_err(), "{bad:?}");
        }
        for bad in ["", "a\tb", &"x".repeat(129)] {
            assert!(check_row(bad).is_err(), "{bad:?}");
        }
        for good in ["todo.create", "a/b:c-d_e"] {
            assert!(check_mutation(good).is_ok(), "{good}");
        }
        assert!(check_mutation("a b").is_err());
    }

    #[derive(Clone, PartialEq)]
    struct User(&'static str);

    impl Identity for User {
        fn key(&self) -> String {
            self.0.into()
        }
    }

    #[test]
    fn only_scopes_of_the_very_user_belong_to_them() {
        #[track_caller]
        fn check(scope: &str, key: &'static str, expected: bool) {
            assert_eq!(Scope::new(scope).unwrap().belongs_to(&Who::new(User(key))), expected, "{scope} of {key}");
        }
        check("user:ada", "ada", true);
        check("user:ada:todos", "ada", true);
        check("user:adam:todos", "ada", false);
        check("user:a:b:todos", "a:b", false);
        check("user:a%3Ab:todos", "a:b", true);
        check("user:a%3Ab:todos", "a%3Ab", false);
        check("user::todos", "", false);
        check("notes", "ada", false);
    }
}
