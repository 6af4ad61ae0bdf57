-- The log. Rows are only ever added: the service may insert and read, the triggers below refuse the rest to everybody,
-- and that much is resistance. The evidence is the signed roots that others keep.

create table batch (
    first_index bigint primary key check (first_index >= 0),
    n           integer not null check (n > 0),
    root        bytea not null check (length(root) = 32),
    stored_at   timestamptz not null default now()
);
comment on table batch is 'One transaction of the sequencer; root is that of the tree of first_index + n leaves. A second
sequencer would insert the same first_index and fail.';

create table span (
    first_index bigint not null,
    cluster     text not null,
    topic_id    text not null,
    partition   integer not null,
    from_offset bigint not null,
    next_offset bigint not null check (next_offset > from_offset),
    primary key (first_index, cluster, topic_id, partition),
    unique (cluster, topic_id, partition, from_offset)
);
comment on table span is 'What a batch took of each partition: from_offset up to next_offset. The last one of a partition
is where the sequencer goes on.';

create table entry (
    index         bigint primary key check (index >= 0),
    kind          text not null check (kind in ('event', 'duplicate', 'conflict', 'gap')),
    cluster       text not null,
    topic         text not null,
    topic_id      text not null,
    partition     integer not null,
    record_offset bigint not null,
    last_offset   bigint not null check (last_offset >= record_offset),
    owner         text not null,
    owner_seq     bigint not null check (owner_seq > 0),
    owner_prev    bigint check (owner_prev < index),
    referral      uuid,
    referral_seq  bigint check (referral_seq > 0),
    referral_prev bigint check (referral_prev < index),
    event_id      uuid,
    fact_id       uuid,
    first_use     bigint check (first_use < index),
    leaf          bytea not null check (length(leaf) <= 8192),
    check ((referral is null) = (referral_seq is null)),
    check ((kind in ('duplicate', 'conflict')) = (first_use is not null)),
    unique (cluster, topic_id, partition, record_offset)
);
comment on table entry is 'A leaf. The leaf column is what is hashed; the others repeat it for indexes and constraints.';
create index entry_owner on entry (owner, index);
create index entry_referral on entry (referral, index) where referral is not null;
create index entry_fact on entry (fact_id) where fact_id is not null;
-- What oversight looks for first, and there are few of them.
create index entry_irregular on entry (index) where kind <> 'event';

create table sealed (
    index   bigint primary key,
    content bytea not null
);
comment on table sealed is 'The record of a leaf, sealed; unreadable for ever once its key is destroyed.';

create table tile (
    level  smallint not null check (level between 0 and 63),
    n      bigint not null check (n >= 0),
    hashes bytea not null check (length(hashes) = 8192),
    primary key (level, n)
);
comment on table tile is 'Full tiles of the tree (C2SP tlog-tiles), 256 hashes of 32 bytes.';

create table first_use (
    owner    text not null,
    event_id uuid not null,
    index    bigint not null,
    same     bytea not null check (length(same) = 32),
    primary key (owner, event_id)
);
comment on table first_use is 'The leaf that used an event id first; same is a keyed digest of the record.';

create table checkpoint (
    size bigint primary key check (size > 0),
    note text not null
);
comment on table checkpoint is 'The signed note of the tree of this size, one for every batch.';

-- Hashes and sealed bytes do not compress: trying costs time.
alter table entry alter column leaf set storage external;
alter table sealed alter column content set storage external;
alter table tile alter column hashes set storage external;

create function refuse_change() returns trigger language plpgsql as $$
begin
    raise exception 'the audit log is insert-only: % of % refused', tg_op, tg_table_name
        using errcode = 'restrict_violation';
end $$;

do $$
declare
    name text;
begin
    foreach name in array array['batch', 'span', 'entry', 'sealed', 'tile', 'first_use', 'checkpoint'] loop
        execute format('create trigger insert_only before update or delete or truncate on %I '
                       'for each statement execute function refuse_change()', name);
        -- ALWAYS: session_replication_role = replica would silence an ordinary trigger.
        execute format('alter table %I enable always trigger insert_only', name);
        execute format('grant select, insert on %I to audit_app', name);
    end loop;
end $$;
