//! Removing what nobody needs any more.

use futures::future::{join, join3};
use tokio_postgres::Error;

use super::kept::scope_named;
use super::lease::Lease;
use super::reading::Read;
use super::sql::signed;
use crate::sync::ids::Scope;
use crate::sync::store::{CompactAsk, Compacted};

/// How many scopes one step looks at.
const SCOPES: usize = 100;

/// Scopes where there may be something to remove.
const DUE: &str = "\
select name from mizu_scopes
where name >= $1 and (young <= $2 or oldest <= $3 or (horizon < compacted and horizon < position - $4))
order by name limit $5";

const LOCK: &str = "select id from mizu_scopes where name = $1 for update";

/// Up to where a scope may be compacted, and where it is to begin. Looks only at entries that are new since the last time.
const EDGES: &str = "\
select edge.compacted, greatest(horizon, least(greatest(edge.by_age, edge.by_count), edge.compacted))
from (
    select horizon,
        greatest(compacted, coalesce((
            select log.position - 1 from mizu_log log
            where log.scope = scope.id and log.position > compacted and log.at > $2 order by log.position limit 1
        ), scope.position)) as compacted,
        case when $3::bigint is null then 0 else coalesce((
            select log.position - 1 from mizu_log log
            where log.scope = scope.id and log.position > horizon and log.at > $3 order by log.position limit 1
        ), scope.position) end as by_age,
        case when $4::bigint is null then 0 else greatest(scope.position - $4, 0) end as by_count
    from mizu_scopes scope where name = $1 offset 0 -- so that each is found once
) edge";

const SUPERSEDED: &str = "\
delete from mizu_changes where ctid = any (array(
    select ctid from mizu_changes where scope = $1 and superseded <= $2 limit $3))";

const TOMBSTONES: &str = "\
delete from mizu_changes where ctid = any (array(
    select ctid from mizu_changes where scope = $1 and position <= $2 and data is null and superseded is null limit $3))";

const ENTRIES: &str = "\
delete from mizu_log where ctid = any (array(
    select ctid from mizu_log where scope = $1 and position < $2 order by position limit $3))";

const MOVE: &str = "\
update mizu_scopes set compacted = $2, horizon = $3,
    young = case when $4 then (select at from mizu_log where scope = $1 and position = $2::bigint + 1) else 0 end,
    oldest = (select at from mizu_log where scope = $1 and position = $3::bigint + 1)
where id = $1";

/// One step: a transaction for each scope where there may be something to do, until it is enough.
pub(super) async fn step(lease: &mut Lease, ask: &CompactAsk) -> Read<Compacted> {
    let from = ask.from.as_ref().map_or("", Scope::as_str);
    let keep = ask.keep.map(signed);
    // Not prepared for good: which index is of use depends on the times.
    let due = lease.query(DUE, &[&from, &ask.compact_at, &ask.horizon_at, &keep, &(SCOPES as i64 + 1)]).await?;
    let mut compacted = Compacted::default();
    for (looked_at, found) in due.iter().enumerate() {
        let name: &str = found.get(0);
        let enough = compacted.changes + compacted.entries >= ask.budget as u64;
        if enough || looked_at == SCOPES {
            return Ok(scope_named(name).map(|next| Compacted { next: Some(next), ..compacted }));
        }
        lease.begins();
        let Removed { changes, entries, all } = scope(lease, name, ask).await?;
        lease.ended();
        compacted.changes += changes;
        compacted.entries += entries;
        if !all {
            return Ok(scope_named(name).map(|next| Compacted { next: Some(next), ..compacted }));
        }
    }
    Ok(Ok(compacted))
}

struct Removed {
    changes: u64,
    entries: u64,
    all: bool,
}

async fn scope(lease: &Lease, name: &str, ask: &CompactAsk) -> Result<Removed, Error> {
    let statements = [LOCK, EDGES, SUPERSEDED, TOMBSTONES, ENTRIES, MOVE].map(|sql| lease.prepare_cached(sql));
    let [lock, edges, superseded, tombstones, log, advance] = statements;
    let (lock, edges, superseded) = (lock.await?, edges.await?, superseded.await?);
    let (tombstones, log, advance) = (tombstones.await?, log.await?, advance.await?);
    let (budget, keep) = (signed(ask.budget.max(1) as u64), ask.keep.map(signed));

    let (begun, locked, edges) = join3(
        lease.batch_execute("begin isolation level read committed"),
        lease.query_one(&lock, &[&name]),
        lease.query_one(&edges, &[&name, &ask.compact_at, &ask.horizon_at, &keep]),
    )
    .await;
    begun?;
    let id: i64 = locked?.get(0);
    let edges = edges?;
    let (compacted, horizon): (i64, i64) = (edges.get(0), edges.get(1));

    let (superseded, tombstones, entries) = join3(
        lease.execute(&superseded, &[&id, &compacted, &budget]),
        lease.execute(&tombstones, &[&id, &horizon, &budget]),
        lease.execute(&log, &[&id, &horizon, &budget]),
    )
    .await;
    let (superseded, tombstones, entries) = (superseded?, tombstones?, entries?);
    let all = [superseded, tombstones, entries].iter().all(|removed| *removed < budget as u64);

    let (moved, committed) =
        join(lease.execute(&advance, &[&id, &compacted, &horizon, &all]), lease.batch_execute("commit")).await;
    moved?;
    committed?;
    Ok(Removed { changes: superseded + tombstones, entries, all })
}
