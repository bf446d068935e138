//! The tables, and bringing them to the version that this crate knows.

use deadpool_postgres::Pool;

use super::error::{Fault, odd};
use super::lease::Lease;
use crate::sync::cursor::Epoch;
use crate::sync::error::StoreError;

/// What makes each version out of the one before.
const VERSIONS: [&str; 1] = [include_str!("v1.sql")];

/// Held while tables are made, so that nodes that start together do it one after the other: "mizu" in ASCII.
const LOCK: i64 = 0x6d69_7a75;

/// Brings the tables to the newest version, in a schema that is made if it is not there.
pub(super) async fn migrate(pool: &Pool, schema: Option<&str>) -> Result<(), StoreError> {
    let mut lease = Lease::new(pool).await?;
    lease.begins();
    let migrated = steps(&lease, schema).await;
    if migrated.is_ok() {
        let committed = lease.batch_execute("commit").await;
        committed.map_err(|error| Fault::from(error).store("making tables"))?;
        lease.ended();
    } else {
        lease.roll_back().await;
    }
    migrated
}

async fn steps(lease: &Lease, schema: Option<&str>) -> Result<(), StoreError> {
    let failed = |error| Fault::from(error).store("making tables");
    lease.batch_execute(&format!("begin; select pg_advisory_xact_lock({LOCK})")).await.map_err(failed)?;
    if let Some(schema) = schema {
        let there = lease.query("select from pg_namespace where nspname = $1", &[&schema]).await.map_err(failed)?;
        if there.is_empty() {
            lease.batch_execute(&format!("create schema \"{schema}\"")).await.map_err(failed)?;
        }
    }
    let facts = "select current_setting('server_encoding'), current_schema()::text, \
                 to_regclass(quote_ident(current_schema()) || '.mizu_meta') is not null";
    let facts = lease.query_one(facts, &[]).await.map_err(failed)?;
    let (encoding, current, there): (String, Option<String>, bool) = (facts.get(0), facts.get(1), facts.get(2));
    if encoding != "UTF8" {
        return Err(StoreError::message(format!("the database must be encoded as UTF8, not {encoding}")));
    }
    if current.is_none() {
        return Err(StoreError::message("the connection's search_path names no schema that is there"));
    }
    let version = match there {
        true => {
            let version = lease.query_opt("select value from mizu_meta where key = 'schema'", &[]).await;
            version.map_err(failed)?.map_or(0, |row| row.get::<_, i64>(0))
        }
        false => 0,
    };
    let newest = VERSIONS.len();
    let known = usize::try_from(version).ok().filter(|version| *version <= newest);
    let Some(known) = known else {
        return Err(StoreError::message(format!(
            "the tables are of version {version}, and this version of mizu knows up to {newest}: use a newer one"
        )));
    };
    for sql in &VERSIONS[known..] {
        lease.batch_execute(sql).await.map_err(failed)?;
    }
    if known < newest {
        let set = "insert into mizu_meta (key, value) values ('schema', $1), ('epoch', $2) \
                   on conflict (key) do update set value = excluded.value where mizu_meta.key = 'schema'";
        let epoch = signed_epoch(Epoch::random());
        lease.execute(set, &[&(newest as i64), &epoch]).await.map_err(failed)?;
    }
    Ok(())
}

/// An epoch as it is kept.
pub(super) fn signed_epoch(epoch: Epoch) -> i64 {
    epoch.bits() as i64
}

/// An epoch that was kept.
pub(super) fn epoch(kept: Option<i64>) -> Result<Epoch, StoreError> {
    kept.map(|bits| Epoch::from_bits(bits as u64)).ok_or_else(|| odd("the store has no epoch: mizu_meta was changed"))
}
