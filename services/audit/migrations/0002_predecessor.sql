-- A log that is refused is closed, and a new one begins with its last checkpoint: this is what the operator says of the
-- closed one when the new one is made. The first leaves of the new log say the same, so that others can check it.

create table predecessor (
    only_row   boolean primary key default true check (only_row),
    origin     text not null,
    vkey       text not null,
    checkpoint text not null,
    kept       bigint not null check (kept >= 0),
    schema     text not null check (schema ~ '^audit_closed_[0-9]+$'),
    closed_at  timestamptz not null default now()
);
comment on table predecessor is 'The log before this one: its last checkpoint that left it, signed, how many of its leaves
are kept, and where.';

create table predecessor_position (
    cluster     text not null,
    topic       text not null,
    topic_id    text not null,
    partition   integer not null,
    next_offset bigint not null check (next_offset > 0),
    primary key (cluster, topic_id, partition)
);
comment on table predecessor_position is 'Where its kept leaves end in every partition; the new log goes on there.';

do $$
declare
    name text;
begin
    foreach name in array array['predecessor', 'predecessor_position'] loop
        execute format('create trigger insert_only before update or delete or truncate on %I '
                       'for each statement execute function refuse_change()', name);
        execute format('alter table %I enable always trigger insert_only', name);
        execute format('grant select on %I to audit_app', name);
    end loop;
end $$;
