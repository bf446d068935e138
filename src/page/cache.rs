//! Rows read once for all sessions of this node that watch the same.

use std::any::{Any, TypeId};
use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Weak};

use parking_lot::Mutex;

use super::rows::Version;
use crate::edge::Who;
use crate::sync::{Change, Cursor, Engine, Entity, PullError, ReadError, Scope};

/// What is being watched on this node. Entries go with the last session that watches.
#[derive(Default)]
pub(crate) struct ReadCache {
    /// Guards which scopes and types are shared; held for one lookup.
    shared: Mutex<HashMap<(Scope, TypeId), Weak<dyn Any + Send + Sync>>>,
}

/// The newest version of a scope's rows of one type.
pub(crate) struct Shared<T> {
    engine: Engine,
    scope: Scope,
    /// Guards the newest version; held to copy or replace a pointer.
    newest: Mutex<Option<Arc<Version<T>>>>,
    /// Whoever reads holds it, so that a poke to many sessions reads the store once.
    reading: tokio::sync::Mutex<()>,
}

impl ReadCache {
    pub(crate) fn shared<T: Entity>(&self, engine: &Engine, scope: &Scope) -> Arc<Shared<T>> {
        let key = (scope.clone(), TypeId::of::<T>());
        let mut shared = self.shared.lock();
        let known = shared.get(&key).and_then(Weak::upgrade).and_then(|known| known.downcast::<Shared<T>>().ok());
        known.unwrap_or_else(|| {
            // Those that nobody watches any more go when another comes.
            shared.retain(|_, shared| shared.strong_count() > 0);
            let new = Arc::new(Shared {
                engine: engine.clone(),
                scope: scope.clone(),
                newest: Mutex::new(None),
                reading: tokio::sync::Mutex::new(()),
            });
            let any: Arc<dyn Any + Send + Sync> = new.clone();
            shared.insert(key, Arc::downgrade(&any));
            new
        })
    }
}

impl<T: Entity> Shared<T> {
    /// A version that shows at least what a poke or a mutation told of; without one, the newest there is.
    pub(crate) async fn fresh(&self, at_least: Option<Cursor>) -> Result<Arc<Version<T>>, ReadError> {
        let good = |version: &Arc<Version<T>>| {
            let enough = |wanted: Cursor| {
                version.cursor.epoch() == wanted.epoch() && version.cursor.position() >= wanted.position()
            };
            at_least.is_some_and(enough)
        };
        if let Some(version) = self.newest.lock().clone().filter(good) {
            return Ok(version);
        }
        let _reading = self.reading.lock().await;
        let known = self.newest.lock().clone();
        if let Some(version) = known.clone().filter(good) {
            return Ok(version);
        }
        let version = match known {
            Some(known) => self.catch_up(&known).await?,
            None => self.read().await?,
        };
        *self.newest.lock() = Some(version.clone());
        Ok(version)
    }

    async fn read(&self) -> Result<Arc<Version<T>>, ReadError> {
        let (rows, cursor) = self.engine.read(&self.scope).all::<T>().await?;
        let rows = rows.into_iter().map(Arc::new).collect();
        Ok(Arc::new(Version { cursor, rows }))
    }

    /// Goes on from a known version by what has changed since; where that can't be known, reads anew.
    async fn catch_up(&self, known: &Arc<Version<T>>) -> Result<Arc<Version<T>>, ReadError> {
        let mut cursor = known.cursor;
        let mut changed: BTreeMap<String, Option<Arc<T>>> = BTreeMap::new();
        loop {
            let pulled = match self.engine.pull(&Who::server(), &self.scope, None, cursor, None).await {
                Ok(pulled) => pulled,
                Err(PullError::Store(error)) => return Err(error.into()),
                Err(_) => return self.read().await,
            };
            for change in pulled.changes {
                match change {
                    Change::Create(row) | Change::Update(row) if row.entity == T::NAME => {
                        let data = Arc::new(row.decode::<T>()?);
                        changed.insert(row.id, Some(data));
                    }
                    Change::Delete { entity, id } if entity == T::NAME => {
                        changed.insert(id, None);
                    }
                    _ => {}
                }
            }
            cursor = pulled.cursor;
            if !pulled.has_more {
                break;
            }
        }
        if changed.is_empty() {
            return Ok(Arc::new(Version { cursor, rows: known.rows.clone() }));
        }
        Ok(Arc::new(Version { cursor, rows: merge(&known.rows, changed) }))
    }
}

/// Rows with changes applied; both are ordered by the bytes of ids.
fn merge<T: Entity>(rows: &[Arc<T>], changed: BTreeMap<String, Option<Arc<T>>>) -> Arc<[Arc<T>]> {
    let mut merged = Vec::with_capacity(rows.len() + changed.len());
    let mut rows = rows.iter().peekable();
    for (id, row) in changed {
        while let Some(before) = rows.next_if(|row| row.id() < id.as_str()) {
            merged.push(before.clone());
        }
        rows.next_if(|row| row.id() == id);
        merged.extend(row);
    }
    merged.extend(rows.cloned());
    merged.into()
}

#[cfg(test)]
mod tests {
    use serde::{Deserialize, Serialize};

    use super::*;

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Thing {
        id: String,
        value: u8,
    }

    impl Entity for Thing {
        const NAME: &'static str = "thing";

        fn id(&self) -> &str {
            &self.id
        }
    }

    #[test]
    fn changes_are_merged_in_order() {
        #[track_caller]
        fn check(rows: &[(&str, u8)], changes: &[(&str, Option<u8>)], expected: &[(&str, u8)]) {
            let thing = |id: &str, value| Arc::new(Thing { id: id.into(), value });
            let rows: Vec<_> = rows.iter().map(|(id, value)| thing(id, *value)).collect();
            let changes = changes.iter().map(|(id, value)| ((*id).to_owned(), value.map(|value| thing(id, value))));
            let merged = merge(&rows, changes.collect());
            let merged: Vec<_> = merged.iter().map(|thing| (thing.id.as_str(), thing.value)).collect();
            assert_eq!(merged, expected);
        }
        let rows = [("b", 1), ("d", 2)];
        check(&rows, &[], &rows);
        check(&rows, &[("a", Some(9))], &[("a", 9), ("b", 1), ("d", 2)]);
        check(&rows, &[("c", Some(9)), ("e", Some(8))], &[("b", 1), ("c", 9), ("d", 2), ("e", 8)]);
        check(&rows, &[("b", Some(9)), ("d", None)], &[("b", 9)]);
        check(&rows, &[("b", None), ("c", None), ("d", None)], &[]);
        check(&[], &[("a", Some(1))], &[("a", 1)]);
    }
}
