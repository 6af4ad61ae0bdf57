-- A duty to tell one institution of one fact through one channel. Codes, ids and times: no name, address or text.
create table alert (
    position      bigint generated always as identity primary key,
    alert_id      uuid not null unique,
    fact_id       uuid not null,
    recipient     text not null,
    channel       text not null check (channel in ('inbox', 'email')),
    kind          text not null,
    referral      uuid,
    urgency       text check (urgency in ('U0', 'U1', 'U2', 'U3')),
    actor         text not null,
    occurred_at   timestamptz not null,
    reason        text,
    -- The name of a header or field of ours, never what stood in it.
    detail        text check (length(detail) <= 200),
    verb          text,
    event_id      uuid,
    record_offset bigint,
    -- The trace of the fact (W3C Trace Context); the receipts go on with it.
    traceparent   text check (length(traceparent) = 55),
    planned_at    timestamptz not null default now(),
    -- What the receipts say so far; they are its history.
    status        text not null check (status in ('planned', 'delivered', 'opened', 'failed', 'sent', 'undeliverable')),
    attempts      integer not null default 0 check (attempts >= 0),
    opened_at     timestamptz,
    -- The wall behind every replay: one alert per fact, recipient and channel.
    unique (fact_id, recipient, channel),
    check ((channel = 'inbox') = (status in ('delivered', 'opened'))),
    check ((status = 'opened') = (opened_at is not null))
) with (fillfactor = 80);
create index alert_inbox on alert (recipient, position desc) where channel = 'inbox';
create index alert_unread on alert (recipient, position desc) where channel = 'inbox' and opened_at is null;
create index alert_referral on alert (referral, position) where referral is not null;

-- What became of each alert; also the outbox of ruta.alerts.v1.
create table receipt (
    position   bigint generated always as identity (cache 1) primary key,
    receipt_id uuid not null unique,
    alert_id   uuid not null references alert (alert_id),
    status     text not null check (status in ('delivered', 'opened', 'failed', 'sent', 'undeliverable')),
    attempt    integer not null check (attempt >= 0),
    code       smallint,
    problem    text,
    at         timestamptz not null,
    check ((status in ('failed', 'undeliverable')) = (problem is not null))
);
create index receipt_alert on receipt (alert_id, position);
-- An alert ends once.
create unique index receipt_end on receipt (alert_id) where status in ('delivered', 'sent', 'undeliverable');

-- Records of the facts topic that this version cannot read: where they are, never what stood in them.
create table unreadable (
    cluster       text not null,
    topic_id      text not null,
    partition     integer not null,
    record_offset bigint not null,
    topic         text not null,
    problem       text not null,
    seen_at       timestamptz not null default now(),
    primary key (cluster, topic_id, partition, record_offset)
);

create table intake_position (
    cluster     text not null,
    topic_id    text not null,
    partition   integer not null,
    topic       text not null,
    next_offset bigint not null,
    primary key (cluster, topic_id, partition)
);

create table relay_cursor (
    only_row boolean primary key default true check (only_row),
    position bigint not null
);
insert into relay_cursor (position) values (0);

grant select, insert on alert, receipt, unreadable to notifications_app;
grant update (status, attempts, opened_at) on alert to notifications_app;
grant select, insert, update on intake_position to notifications_app;
grant select, update on relay_cursor to notifications_app;
