//! What may be configured, and why connecting failed.

use std::{io, time::Duration};

/// How an adapter uses its server.
///
/// ```
/// use std::time::Duration;
/// use mizu::live::AdapterOptions;
///
/// let options = AdapterOptions::new().prefix("shop").max_message(64 * 1024).timeout(Duration::from_secs(1));
/// # let _ = options;
/// ```
#[derive(Debug, Clone)]
pub struct AdapterOptions {
    pub(super) prefix: String,
    pub(super) max_message: usize,
    pub(super) timeout: Duration,
}

impl AdapterOptions {
    /// The prefix `mizu`, messages of up to 512 KiB, and 2 seconds of patience.
    ///
    /// ```
    /// # use mizu::live::AdapterOptions;
    /// let options = AdapterOptions::new();
    /// # let _ = options;
    /// ```
    pub fn new() -> Self {
        Self { prefix: "mizu".to_owned(), max_message: 512 * 1024, timeout: Duration::from_secs(2) }
    }

    /// What the names of everything at the server start with. Nodes hear each other when theirs is the same, so
    /// applications that share a server take different ones.
    ///
    /// # Shape
    ///
    /// 1 to 64 ASCII letters, digits, `-`, `_`, and single dots between them. Connecting refuses others.
    ///
    /// ```
    /// # use mizu::live::AdapterOptions;
    /// let options = AdapterOptions::new().prefix("shop.staging");
    /// # let _ = options;
    /// ```
    #[must_use]
    pub fn prefix(mut self, prefix: impl Into<String>) -> Self {
        self.prefix = prefix.into();
        self
    }

    /// The longest body that may be published, and the longest that is taken from other nodes. A server may allow
    /// less.
    ///
    /// # Units
    ///
    /// Bytes.
    ///
    /// ```
    /// # use mizu::live::AdapterOptions;
    /// let options = AdapterOptions::new().max_message(1024);
    /// # let _ = options;
    /// ```
    #[must_use]
    pub fn max_message(mut self, bytes: usize) -> Self {
        self.max_message = bytes;
        self
    }

    /// How long the server may take to answer, before what was asked fails and the connection counts as lost.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use mizu::live::AdapterOptions;
    /// let options = AdapterOptions::new().timeout(Duration::from_millis(500));
    /// # let _ = options;
    /// ```
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    pub(super) fn check(&self) -> Result<(), ConnectError> {
        let word = |word: &str| {
            !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
        };
        match self.prefix.len() <= 64 && self.prefix.split('.').all(word) {
            true => Ok(()),
            false => Err(ConnectError::Prefix { prefix: self.prefix.clone() }),
        }
    }
}

impl Default for AdapterOptions {
    fn default() -> Self {
        Self::new()
    }
}

/// Why an adapter could not connect.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// The prefix can't be part of every server's names.
    #[error("the prefix {prefix:?} is not 1 to 64 ASCII letters, digits, '-', '_' and single dots: choose another")]
    Prefix {
        /// The prefix.
        prefix: String,
    },
    /// The address is none, or nobody answers there as expected.
    #[error("can't connect: {0}")]
    Unavailable(#[from] io::Error),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prefixes_are_words_between_dots() {
        let long = "x".repeat(65);
        for (prefix, fits) in [
            ("mizu", true),
            ("a.b-c_9.D", true),
            (&long[1..], true),
            (&long, false),
            ("", false),
            (".", false),
            ("a.", false),
            ("a..b", false),
            ("a b", false),
            ("a:b", false),
            ("a*", false),
            (">", false),
            ("é", false),
        ] {
            assert_eq!(AdapterOptions::new().prefix(prefix).check().is_ok(), fits, "{prefix:?}");
        }
    }
}
