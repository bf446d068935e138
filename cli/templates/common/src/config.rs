//! What the environment says.

use std::env::{self, VarError};
use std::net::{SocketAddr, ToSocketAddrs};
use std::path::PathBuf;

/// The settings of a server.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// `ADDR`: where to listen, as `127.0.0.1:3000`, or `:8080` for every interface.
    pub addr: SocketAddr,
    /// `DEV`: development mode, which names mistakes in the log and in the browser's console.
    pub dev: bool,
    /// `MIZU_SECRET`: what pages' tokens are signed with. Without it, a random one: a restart mounts open pages anew.
    pub secret: Option<String>,
    /// `DATABASE_URL`: where durable data is.
    pub database: Database,
}

/// Where durable data is.
#[derive(Clone, Debug, PartialEq)]
pub enum Database {
    /// A file: `sqlite:app.db`.
    Sqlite(PathBuf),
    /// A server: `postgres://user:password@host/name`.
    Postgres(String),
}

/// A variable that says something that can't be done.
#[derive(Debug, PartialEq, thiserror::Error)]
pub enum ConfigError {
    #[error("{0} is not valid Unicode")]
    NotUnicode(&'static str),
    #[error("ADDR is {0:?}, which is no address to listen on: say it as 127.0.0.1:3000 or :8080")]
    Addr(String),
    #[error("DEV is {0:?}: say true or false")]
    Dev(String),
    #[error(
        "MIZU_SECRET has {0} bytes, and needs at least 32: make one with `openssl rand -hex 32`"
    )]
    Secret(usize),
    #[error("DATABASE_URL is {0:?}: say sqlite:FILE or postgres://USER:PASSWORD@HOST/NAME")]
    Database(String),
}

impl Config {
    /// The settings that the environment holds, and defaults for the others.
    pub fn from_env() -> Result<Self, ConfigError> {
        Self::from_lookup(|name| match env::var(name) {
            Ok(value) => Ok(Some(value)),
            Err(VarError::NotPresent) => Ok(None),
            Err(VarError::NotUnicode(_)) => Err(ConfigError::NotUnicode(name)),
        })
    }

    fn from_lookup(
        lookup: impl Fn(&'static str) -> Result<Option<String>, ConfigError>,
    ) -> Result<Self, ConfigError> {
        // A variable that is set to nothing is not set.
        let get = |name| lookup(name).map(|value| value.filter(|value| !value.is_empty()));
        Ok(Self {
            addr: addr(get("ADDR")?.as_deref().unwrap_or("127.0.0.1:3000"))?,
            dev: match get("DEV")?.as_deref() {
                Some("true" | "1") => true,
                None | Some("false" | "0") => false,
                Some(other) => return Err(ConfigError::Dev(other.to_owned())),
            },
            secret: match get("MIZU_SECRET")? {
                Some(short) if short.len() < 32 => return Err(ConfigError::Secret(short.len())),
                secret => secret,
            },
            database: database(get("DATABASE_URL")?.as_deref().unwrap_or("sqlite:app.db"))?,
        })
    }
}

fn addr(text: &str) -> Result<SocketAddr, ConfigError> {
    let full = if text.starts_with(':') {
        format!("0.0.0.0{text}")
    } else {
        text.to_owned()
    };
    let first = full
        .to_socket_addrs()
        .ok()
        .and_then(|mut addresses| addresses.next());
    first.ok_or_else(|| ConfigError::Addr(text.to_owned()))
}

fn database(url: &str) -> Result<Database, ConfigError> {
    if url.starts_with("postgres://") || url.starts_with("postgresql://") {
        return Ok(Database::Postgres(url.to_owned()));
    }
    let file = url
        .strip_prefix("sqlite:")
        .map(|rest| rest.strip_prefix("//").unwrap_or(rest));
    match file.or_else(|| (!url.contains(':')).then_some(url)) {
        Some(file) if !file.is_empty() => Ok(Database::Sqlite(file.into())),
        _ => Err(ConfigError::Database(without_password(url))),
    }
}

/// What may be shown and logged of an address.
fn without_password(url: &str) -> String {
    match (url.split_once("://"), url.rsplit_once('@')) {
        (Some((scheme, _)), Some((_, host))) => format!("{scheme}://...@{host}"),
        _ => url.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(values: &[(&str, &str)]) -> Result<Config, ConfigError> {
        let find = |name: &str| {
            values
                .iter()
                .find(|(known, _)| *known == name)
                .map(|(_, value)| (*value).to_owned())
        };
        Config::from_lookup(|name| Ok(find(name)))
    }

    #[test]
    fn the_defaults_are_for_development_on_this_machine() {
        let config = config(&[("DEV", "")]).unwrap();
        assert_eq!(config.addr.to_string(), "127.0.0.1:3000");
        assert_eq!((config.dev, config.secret), (false, None));
        assert_eq!(config.database, Database::Sqlite("app.db".into()));
    }

    #[test]
    fn every_variable_is_taken() {
        let secret = "0123456789abcdef0123456789abcdef";
        let url = "postgres://ann:secret@db/app";
        let config = config(&[
            ("ADDR", ":8080"),
            ("DEV", "true"),
            ("MIZU_SECRET", secret),
            ("DATABASE_URL", url),
        ]);
        let config = config.unwrap();
        assert_eq!(config.addr.to_string(), "0.0.0.0:8080");
        assert_eq!((config.dev, config.secret.as_deref()), (true, Some(secret)));
        assert_eq!(config.database, Database::Postgres(url.to_owned()));
    }

    #[test]
    fn what_can_not_be_done_is_said() {
        let wrong = |name, value| config(&[(name, value)]).unwrap_err().to_string();
        assert!(wrong("ADDR", "3000").starts_with("ADDR is \"3000\""));
        assert_eq!(wrong("DEV", "yes"), "DEV is \"yes\": say true or false");
        assert!(wrong("MIZU_SECRET", "short").starts_with("MIZU_SECRET has 5 bytes"));
        let message = wrong("DATABASE_URL", "mysql://ann:secret@db/app");
        assert!(
            message.contains("mysql://...@db/app") && !message.contains("secret"),
            "{message}"
        );
    }

    #[test]
    fn files_are_named_with_and_without_a_scheme() {
        for (url, file) in [
            ("sqlite:app.db", "app.db"),
            ("sqlite:///srv/app.db", "/srv/app.db"),
            ("app.db", "app.db"),
        ] {
            assert_eq!(database(url), Ok(Database::Sqlite(file.into())));
        }
        assert!(database("sqlite:").is_err());
    }
}
