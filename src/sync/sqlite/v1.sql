create table mizu_meta (key text primary key, value integer not null) without rowid, strict;

-- Where each scope's log ends, from where it can be pulled, and from where rows can be shown.
create table mizu_scopes (
    id integer primary key,
    name text not null unique,
    position integer not null default 0,
    horizon integer not null default 0,
    compacted integer not null default 0
) strict;

-- Clients, the user each is bound to, and the last of their mutations that was processed.
create table mizu_clients (
    id text primary key,
    user text not null,
    last integer not null,
    seen_at integer not null
) without rowid, strict;

-- One entry a processed mutation and scope. A code says that it was refused.
create table mizu_log (
    scope integer not null,
    position integer not null,
    check_value integer not null,
    at integer not null,
    sender text,
    seq integer not null,
    hash integer not null,
    code text,
    message text,
    primary key (scope, position)
) without rowid, strict;
create index mizu_log_senders on mizu_log (sender, seq) where sender is not null;

-- The versions of rows: each holds from its position until it is superseded. No data says that the row was deleted.
create table mizu_changes (
    scope integer not null,
    entity text not null,
    id text not null,
    position integer not null,
    created integer not null,
    data text,
    superseded integer,
    primary key (scope, entity, id, position)
) without rowid, strict;
create index mizu_changes_positions on mizu_changes (scope, position);
create index mizu_changes_superseded on mizu_changes (scope, superseded) where superseded is not null;
create index mizu_changes_tombstones on mizu_changes (scope, position) where data is null;
