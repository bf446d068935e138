//! Removing what nobody needs any more.

use rusqlite::{Connection, OptionalExtension, TransactionBehavior, params};

use crate::sync::store::{CompactAsk, Compacted};

/// How many scopes one step looks at.
const SCOPES: usize = 200;

/// One step, in a transaction of its own.
pub(super) fn step(conn: &mut Connection, ask: &CompactAsk) -> rusqlite::Result<Compacted> {
    let transaction = conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let mut done = Compacted::default();
    let mut from = ask.from.as_ref().map_or_else(String::new, |scope| scope.as_str().to_owned());
    let mut budget = ask.budget as i64;
    for _ in 0..SCOPES {
        let next: Option<(i64, String)> = transaction
            .prepare_cached("select id, name from mizu_scopes where name >= ? order by name limit 1")?
            .query_row([&from], |row| Ok((row.get(0)?, row.get(1)?)))
            .optional()?;
        let Some((scope, name)) = next else {
            transaction.commit()?;
            return Ok(done);
        };
        let (changes, entries) = one(&transaction, scope, ask, budget)?;
        done.changes += changes as u64;
        done.entries += entries as u64;
        budget -= (changes + entries) as i64;
        from = name;
        if budget <= 0 {
            break;
        }
        // The next name in the order of bytes.
        from.push('\0');
    }
    transaction.commit()?;
    done.next = Some(crate::sync::ids::Scope::from_store(&from));
    Ok(done)
}

fn one(conn: &Connection, scope: i64, ask: &CompactAsk, budget: i64) -> rusqlite::Result<(usize, usize)> {
    let (head, old_horizon, old_compacted): (i64, i64, i64) = conn
        .prepare_cached("select position, horizon, compacted from mizu_scopes where id = ?")?
        .query_row([scope], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
    // Up to which position entries are this old: looks only at those that are new since the last time.
    let upto = |known: i64, at: i64| -> rusqlite::Result<i64> {
        let young: Option<i64> = conn
            .prepare_cached(
                "select position from mizu_log where scope = ? and position > ? and at > ? order by position limit 1",
            )?
            .query_row(params![scope, known, at], |row| row.get(0))
            .optional()?;
        Ok(young.map_or(head, |young| young - 1))
    };
    let compacted = old_compacted.max(upto(old_compacted, ask.compact_at)?);
    let by_age = match ask.horizon_at {
        Some(at) => upto(old_horizon, at)?,
        None => 0,
    };
    let by_count = ask.keep.map_or(0, |keep| head.saturating_sub(i64::try_from(keep).unwrap_or(i64::MAX)));
    let horizon = old_horizon.max(by_age.max(by_count).min(compacted));
    if (compacted, horizon) != (old_compacted, old_horizon) {
        conn.prepare_cached("update mizu_scopes set compacted = ?2, horizon = ?3 where id = ?1")?
            .execute(params![scope, compacted, horizon])?;
    }
    let mut changes = conn
        .prepare_cached(
            "delete from mizu_changes where (scope, entity, id, position) in \
             (select scope, entity, id, position from mizu_changes where scope = ?1 and superseded <= ?2 limit ?3)",
        )?
        .execute(params![scope, compacted, budget])?;
    changes += conn
        .prepare_cached(
            "delete from mizu_changes where (scope, entity, id, position) in \
             (select scope, entity, id, position from mizu_changes \
              where scope = ?1 and position <= ?2 and data is null and superseded is null limit ?3)",
        )?
        .execute(params![scope, horizon, (budget - changes as i64).max(0)])?;
    let entries = conn
        .prepare_cached(
            "delete from mizu_log where scope = ?1 and position in \
             (select position from mizu_log where scope = ?1 and position < ?2 order by position limit ?3)",
        )?
        .execute(params![scope, horizon, (budget - changes as i64).max(0)])?;
    Ok((changes, entries))
}
