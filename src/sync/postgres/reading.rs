//! What is read: parts of logs, and rows.

use std::time::Duration;

use deadpool_postgres::Object;
use futures::future::{join3, join4};
use tokio_postgres::Row as Found;
use tokio_postgres::types::ToSql;

use super::error::Fault;
use super::kept::{row, status};
use super::lease::Lease;
use super::schema;
use super::sql::{behind_prefix, most, signed};
use crate::sync::change::{Ack, Change};
use crate::sync::error::StoreError;
use crate::sync::ids::Seq;
use crate::sync::store::{Extent, PullAsk, PullPart, RowsAsk, RowsPart};

/// A failure of the connection on the outside, of what was read on the inside.
pub(super) type Read<T> = Result<Result<T, StoreError>, Fault>;

/// Where a scope's log is, and whose a client is.
const EXTENT: &str = "\
select (select value from mizu_meta where key = 'epoch'), scope.position, scope.horizon, scope.compacted,
    (select check_value from mizu_log where scope = scope.id and position = coalesce($2, scope.position)),
    (select check_value from mizu_log where scope = scope.id and position = scope.position),
    client.user_key, client.last
from (values (1)) one
left join mizu_scopes scope on scope.name = $1
left join mizu_clients client on client.id = $3";

/// A part of a log: changes and acknowledgements in order, and a line that says where it was cut, and the check value of the entry before. The entry at `$6`, the first, is never cut off for being too large.
const PART: &str = "\
with scope as materialized (
    select id from mizu_scopes where name = $1
), page as materialized (
    select position, entity, id, created, data from mizu_changes
    where scope = (select id from scope) and position > $2 order by position limit $3::bigint + 1
), sums as materialized (
    select *, position = $6
        or (count(*) over log <= $3 and coalesce(sum(octet_length(data)) over log, 0) <= $4) as fits
    from page window log as (order by position)
), cut as materialized (
    select coalesce(min(position) filter (where not fits), 9223372036854775807) as at,
        count(*) > $3 and max(position) = $6 as first_is_cut
    from sums
), acks as materialized (
    select position, seq, code, message from mizu_log
    where scope = (select id from scope) and position > $2 and position < (select at from cut)
        and $5::text is not null and sender is not distinct from $5
    order by position limit $3::bigint + 1
)
select 0 as kind, cut.at as position, null as entity, null as id, coalesce(first_is_cut, false) as created, null as data,
    (select check_value from mizu_log where scope = (select id from scope) and position = cut.at - 1) as seq,
    null as code, null as message
from cut
union all select 1, position, entity, id, created, data, null, null, null from sums where fits
union all select 2, position, null, null, null, null, seq, code, message from acks
order by position, kind, entity, id";

/// All that changed at one position.
const ENTRY: &str = "\
select entity, id, created, data from mizu_changes
where scope = (select id from mizu_scopes where name = $1) and position = $2 order by entity, id";

const CHECK: &str = "\
select check_value from mizu_log where scope = (select id from mizu_scopes where name = $1) and position = $2";

/// The newest acknowledgements of a client up to a position. The scope is compared in a way that keeps its index out of this: the client's own
/// entries are the few.
const ACKS: &str = "\
select seq, code, message from mizu_log
where sender = $1 and scope is not distinct from (select id from mizu_scopes where name = $2) and position <= coalesce($3, 9223372036854775807)
order by seq desc limit $4";

/// Rows as they are at a position; `BOUNDS` says which. More than fit are told by one without data.
macro_rules! rows {
    ($bounds:literal) => {
        concat!(
            "\
with page as (
    select entity, id, data from mizu_changes
    where scope = (select id from mizu_scopes where name = $1)
        and position <= coalesce($2, 9223372036854775807) and data is not null
        and (superseded is null or superseded > coalesce($2, 9223372036854775807)) and ",
            $bounds,
            "
    order by entity, id limit $3::bigint + 1
), sums as (
    select *, row_number() over rows = 1
        or (row_number() over rows <= $3 and sum(octet_length(data)) over rows <= $4) as fits
    from page window rows as (order by entity, id rows unbounded preceding)
)
select entity, id, case when fits then data end from sums order by entity, id"
        )
    };
}

const ALL_ROWS: &str = rows!("(entity, id) > ($5, $6)");
const ROWS_OF_KIND: &str = rows!("entity = $5 and id > $6 and id >= $7 and id < $8");

/// Plans don't depend on what is asked: they are made once for a connection.
fn begin(lease: &mut Lease, patience: Duration) -> String {
    lease.begins();
    let millis = patience.as_millis().clamp(1, 100_000_000);
    format!(
        "begin isolation level repeatable read read only; set local statement_timeout = {millis}; \
         set local plan_cache_mode = force_generic_plan"
    )
}

fn extent(found: &Found) -> Result<Extent, StoreError> {
    let number = |column| found.get::<_, Option<i64>>(column).unwrap_or(0) as u64;
    Ok(Extent { epoch: schema::epoch(found.get(0))?, head: number(1), horizon: number(2), compacted: number(3) })
}

/// The check value of the entry at a position; 0 at the beginning.
fn check(position: u64, kept: Option<i64>) -> Option<u64> {
    match position {
        0 => Some(0),
        _ => kept.map(|check| check as u64),
    }
}

pub(super) async fn pull(lease: &mut Lease, ask: &PullAsk, patience: Duration) -> Read<PullPart> {
    let begin = begin(lease, patience);
    let (extent, part) = (lease.prepare_cached(EXTENT).await?, lease.prepare_cached(PART).await?);
    let scope = ask.scope.as_str();
    let client = ask.client.as_ref().map(|client| client.as_str());
    let (from, first) = (signed(ask.from), signed(ask.from.saturating_add(1)));
    let (limit, bytes) = (most(ask.limit), most(ask.bytes));
    let (begun, facts, found) = join3(
        lease.batch_execute(&begin),
        lease.query_one(&extent, &[&scope, &from, &client]),
        lease.query(&part, &[&scope, &from, &limit, &bytes, &client, &first]),
    )
    .await;
    begun?;
    let (facts, found) = (facts?, found?);
    let mut cut = Cut::of(&found, limit, first);
    if cut.first {
        cut.entry = Some(lease.query(&lease.prepare_cached(ENTRY).await?, &[&scope, &first]).await?);
    }
    if let (Some(end), None) = (cut.end, cut.check) {
        let found = lease.query_opt(&lease.prepare_cached(CHECK).await?, &[&scope, &(end - 1)]).await?;
        cut.check = found.map(|row| row.get(0));
    }
    lease.end_reading();
    Ok(pulled(ask, &facts, found, cut))
}

/// Where a part of a log ends before the log does.
struct Cut {
    /// The first position that is not in it.
    end: Option<i64>,
    /// Of the entry before, if it is known.
    check: Option<i64>,
    /// Whether it ends behind the first entry, whose changes were not all read.
    first: bool,
    entry: Option<Vec<Found>>,
}

impl Cut {
    fn of(found: &[Found], limit: i64, first: i64) -> Self {
        let mut cut = Self { end: None, check: None, first: false, entry: None };
        let of_kind = |kind: i32| found.iter().filter(move |row| row.get::<_, i32>(0) == kind);
        if let Some(row) = of_kind(0).next() {
            let end: i64 = row.get(1);
            cut.first = row.get(4);
            match cut.first {
                true => cut.end = Some(first.saturating_add(1)),
                false if end < i64::MAX => (cut.end, cut.check) = (Some(end), row.get(6)),
                false => {}
            }
        }
        // One acknowledgement more than fits says where those that do end: never before the first entry.
        let beyond = of_kind(2).nth(usize::try_from(limit).unwrap_or(usize::MAX));
        if let Some(end) = beyond.map(|row| row.get::<_, i64>(1))
            && cut.end.is_none_or(|before| end < before)
        {
            (cut.end, cut.check) = (Some(end), None);
        }
        cut
    }
}

fn pulled(ask: &PullAsk, facts: &Found, found: Vec<Found>, cut: Cut) -> Result<PullPart, StoreError> {
    let extent = extent(facts)?;
    let from_check = check(ask.from, facts.get(4));
    let mut part = PullPart {
        extent,
        check: from_check,
        user: facts.get(6),
        changes: Vec::with_capacity(found.len()),
        upto: (ask.from, from_check.unwrap_or(0)),
    };
    match (cut.end, facts.get::<_, Option<i64>>(5)) {
        (Some(end), _) => part.upto = ((end - 1) as u64, cut.check.unwrap_or(0) as u64),
        (None, Some(head_check)) if extent.head > ask.from => part.upto = (extent.head, head_check as u64),
        (None, _) => {}
    }
    let whole = cut.entry.is_some();
    for found in cut.entry.into_iter().flatten() {
        part.changes.push(change(found.get(0), found.get(1), found.get(2), found.get(3))?);
    }
    for found in found {
        let kind: i32 = found.get(0);
        if kind != 0 && cut.end.is_some_and(|end| found.get::<_, i64>(1) >= end) {
            continue;
        }
        match kind {
            1 if !whole => part.changes.push(change(found.get(2), found.get(3), found.get(4), found.get(5))?),
            2 => part.changes.push(Change::Ack(ack(found.get(6), found.get(7), found.get(8)))),
            _ => {}
        }
    }
    Ok(part)
}

fn change(entity: String, id: String, created: bool, data: Option<String>) -> Result<Change, StoreError> {
    Ok(match data {
        Some(data) if created => Change::Create(row(entity, id, data)?),
        Some(data) => Change::Update(row(entity, id, data)?),
        None => Change::Delete { entity, id },
    })
}

fn ack(seq: i64, code: Option<String>, message: Option<String>) -> Ack {
    Ack { seq: Seq::new(seq as u64), status: status(code, message) }
}

pub(super) async fn rows(lease: &mut Lease, ask: &RowsAsk, patience: Duration) -> Read<RowsPart> {
    let begin = begin(lease, patience);
    let scope = ask.scope.as_str();
    let client = ask.client.as_ref().map(|client| client.as_str());
    let at = ask.at.map(signed);
    let (limit, bytes, newest) = (most(ask.limit), most(ask.bytes), most(ask.acks));
    let bounds = Bounds::of(ask);
    let mut params: Vec<&(dyn ToSql + Sync)> = vec![&scope, &at, &limit, &bytes];
    params.extend(bounds.params.iter().map(|text| text as &(dyn ToSql + Sync)));
    let (extent, acks) = (lease.prepare_cached(EXTENT).await?, lease.prepare_cached(ACKS).await?);
    let rows = lease.prepare_cached(bounds.sql).await?;
    let object: &Object = lease;
    let (begun, facts, acks, found) = join4(
        object.batch_execute(&begin),
        object.query_one(&extent, &[&scope, &at, &client]),
        async {
            match client.is_none() || newest == 0 {
                true => Ok(Vec::new()),
                false => object.query(&acks, &[&client, &scope, &at, &newest]).await,
            }
        },
        async {
            match bounds.nothing {
                true => Ok(Vec::new()),
                false => object.query(&rows, &params).await,
            }
        },
    )
    .await;
    begun?;
    let (facts, acks, found) = (facts?, acks?, found?);
    lease.end_reading();
    Ok(shown(ask, &facts, acks, found))
}

/// Which rows to read, as a statement says it.
struct Bounds {
    sql: &'static str,
    params: Vec<String>,
    /// Whether there can be none.
    nothing: bool,
}

impl Bounds {
    fn of(ask: &RowsAsk) -> Self {
        let after = ask.after.clone().unwrap_or_default();
        let (after_entity, mut after_id) = after;
        // Neither names nor ids have characters below the space, so that none is between a text and what stands before its NUL.
        let cut = |text: &str| text.find('\0').map(|end| text[..end].to_owned());
        let mut params = match &ask.entity {
            Some(entity) => vec![entity.clone()],
            None => vec![after_entity.clone()],
        };
        if let Some(before) = cut(&after_id) {
            after_id = before;
        }
        if ask.entity.is_none()
            && let Some(before) = cut(&after_entity)
        {
            // Behind all rows of the kind.
            (params[0], after_id) = (before, behind_prefix(""));
        }
        let Some(entity) = &ask.entity else {
            params.push(after_id);
            return Self { sql: ALL_ROWS, params, nothing: false };
        };
        let behind = after_entity > *entity;
        if after_entity < *entity {
            after_id.clear();
        }
        let nothing = behind || entity.contains('\0') || ask.prefix.contains('\0');
        params.extend([after_id, ask.prefix.clone(), behind_prefix(&ask.prefix)]);
        Self { sql: ROWS_OF_KIND, params, nothing }
    }
}

fn shown(ask: &RowsAsk, facts: &Found, acks: Vec<Found>, found: Vec<Found>) -> Result<RowsPart, StoreError> {
    let extent = extent(facts)?;
    let at = ask.at.unwrap_or(extent.head);
    let client = facts.get::<_, Option<String>>(6).zip(facts.get::<_, Option<i64>>(7));
    let mut part = RowsPart {
        extent,
        at: (at, check(at, facts.get(4))),
        client: client.map(|(user, last)| (user, Seq::new(last as u64))),
        acks: acks.into_iter().rev().map(|found| ack(found.get(0), found.get(1), found.get(2))).collect(),
        rows: Vec::with_capacity(found.len()),
        more: false,
    };
    for found in found {
        match found.get::<_, Option<String>>(2) {
            Some(data) => part.rows.push(row(found.get(0), found.get(1), data)?),
            None => part.more = true,
        }
    }
    Ok(part)
}
