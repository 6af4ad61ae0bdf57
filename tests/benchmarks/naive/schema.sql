-- The tables of the plain system, in a database of their own.
create table fact (
    number     bigint generated always as identity primary key,
    fact_id    uuid not null unique,
    kind       text not null,
    outcome    text not null,
    first      boolean not null,
    referral   uuid,
    version    integer,
    owner      text not null,
    event_id   uuid,
    digest     bytea not null,
    value      bytea not null
);
create unique index fact_claim on fact (owner, event_id) where first and outcome in ('applied', 'refused');
create index fact_referral on fact (referral);

create table referral (
    referral   uuid primary key,
    version    integer not null,
    state      text not null,
    changed_at timestamptz not null,
    held_from  text,
    stop_duty  text,
    revoked    boolean not null,
    escalated  boolean not null,
    competence_decided boolean not null,
    awaits_content boolean not null,
    conflict   json,
    sender     text not null,
    recipient  text not null,
    need       uuid not null,
    person     uuid not null,
    service    text not null,
    urgency    text not null,
    opened_at  timestamptz not null,
    root       uuid not null,
    parent     uuid,
    path       text[] not null,
    redirected_by text,
    clock_from timestamptz not null,
    follows    uuid,
    asked      json not null
);
create index referral_root on referral (root);
create index referral_person on referral (person);

create table sealed (
    fact_id    uuid primary key,
    recipient  text not null,
    jwe        bytea not null
);

-- Progress of each consumer in numbers that are quick to read.
create table alert (
    number     bigint generated always as identity primary key,
    alert_id   uuid not null unique,
    fact_id    uuid not null,
    recipient  text not null,
    channel    text not null,
    kind       text not null,
    referral   uuid,
    urgency    text,
    reason     text
);
create index alert_referral on alert (referral);

create table told (
    number     bigint generated always as identity primary key,
    fact_id    uuid not null unique
);

create table mail_job (
    alert_id   uuid primary key
);

create table receipt (
    number     bigint generated always as identity primary key,
    receipt_id uuid not null unique,
    alert_id   uuid not null,
    value      bytea not null
);

create table leaf (
    number     bigint primary key,
    topic      text not null,
    partition  integer not null,
    position   bigint not null,
    owner      text not null,
    event_id   text,
    kind       text not null,
    digest     bytea not null,
    sealed     bytea not null,
    hash       bytea not null,
    unique (topic, partition, position)
);
create index leaf_event on leaf (owner, event_id, number);

create table data_key (
    owner      text not null,
    scope      text not null,
    secret     bytea not null,
    primary key (owner, scope)
);
