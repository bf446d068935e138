create table mizu_meta (key text collate "C" primary key, value bigint not null);

-- Where each scope's log ends, from where it can be pulled, and from where rows can be shown. `young` is when the first entry behind
-- `compacted` was written, `oldest` the first behind `horizon`: before that age there is nothing to remove. 0 when some is left to remove.
create table mizu_scopes (
    id bigint generated always as identity primary key,
    name text collate "C" not null unique,
    position bigint not null default 0,
    horizon bigint not null default 0,
    compacted bigint not null default 0,
    young bigint,
    oldest bigint
) with (fillfactor = 50);
create index mizu_scopes_young on mizu_scopes (young) where young is not null;
create index mizu_scopes_oldest on mizu_scopes (oldest) where oldest is not null;

-- Clients, the user each is bound to, and the last of their mutations that was processed.
create table mizu_clients (
    id text collate "C" primary key,
    user_key text not null,
    last bigint not null,
    seen_at bigint not null
) with (fillfactor = 80);

-- One entry a processed mutation and scope. A code says that it was refused.
create table mizu_log (
    scope bigint not null,
    position bigint not null,
    check_value bigint not null,
    at bigint not null,
    sender text collate "C",
    seq bigint not null,
    hash bigint not null,
    code text,
    message text,
    primary key (scope, position)
);
create index mizu_log_senders on mizu_log (sender, seq) where sender is not null;

-- The versions of rows: each holds from its position until it is superseded. No data says that the row was deleted.
create table mizu_changes (
    scope bigint not null,
    entity text collate "C" not null,
    id text collate "C" not null,
    position bigint not null,
    created boolean not null,
    data text,
    superseded bigint,
    primary key (scope, entity, id, position)
);
create index mizu_changes_positions on mizu_changes (scope, position);
create index mizu_changes_superseded on mizu_changes (scope, superseded) where superseded is not null;
create index mizu_changes_tombstones on mizu_changes (scope, position) where data is null;
