-- Facts are history, outbox and claims in one: what was decided, in the order in which it became visible.
create table fact (
    position    bigint generated always as identity (cache 1) primary key,
    fact_id     uuid not null unique,
    kind        text not null,
    outcome     text not null check (outcome in ('applied', 'refused', 'duplicate', 'conflict', 'quarantined')),
    -- A record may cause several facts: its answer is 0, what follows from it comes behind.
    ordinal     smallint not null check (ordinal >= 0),
    referral    uuid,
    version     integer check (version > 0),
    need        uuid,
    owner       text not null,
    event_id    uuid,
    digest      bytea not null check (length(digest) = 32),
    parties     text[] not null,
    received_at timestamptz not null,
    cluster     text not null,
    topic_id    text not null,
    partition   integer not null,
    record_offset bigint not null,
    value       bytea not null check (length(value) <= 8192),
    -- The trace that the declaration belongs to (W3C Trace Context); it goes on with whoever reads the fact.
    traceparent text check (length(traceparent) = 55),
    check ((outcome = 'applied') = (version is not null)),
    check (outcome <> 'applied' or referral is not null),
    check (outcome = 'applied' or ordinal = 0),
    check (outcome not in ('applied', 'refused') or event_id is not null)
);
-- The wall behind the row locks: a referral's versions are unique, whatever a worker believed.
create unique index fact_version on fact (referral, version) where version is not null;
-- A claim: only an applied or refused declaration uses up its id, so a mended resend of a quarantined one works.
create unique index fact_claim on fact (event_id, owner) where ordinal = 0 and outcome in ('applied', 'refused');
create index fact_quarantined on fact (position) where outcome = 'quarantined';

-- The current state is the fold of the facts; `ruta refold` compares them.
create table referral (
    referral    uuid primary key,
    version     integer not null,
    state       text check (state in (
        'requested', 'received', 'awaiting_information', 'accepted', 'in_progress', 'waitlisted', 'completed',
        'not_achieved', 'rejected', 'returned', 'redirected', 'withdrawn', 'closed', 'voided')),
    sender      text,
    recipient   text,
    need        uuid,
    person      uuid,
    service     text,
    urgency     text check (urgency in ('U0', 'U1', 'U2', 'U3')),
    opened_at   timestamptz,
    changed_at  timestamptz,
    -- The chain: its first referral, the one before, and who had it before this one's recipient, oldest first.
    root        uuid,
    parent      uuid,
    path        text[],
    redirected_by text,
    clock_from  timestamptz,
    follows     uuid,
    asked       json,
    -- Where it goes back to from a hold.
    held_from   text check (held_from in ('received', 'accepted', 'in_progress')),
    stop_duty   text check (stop_duty in ('open', 'confirmed')),
    revoked     boolean not null default false,
    escalated   boolean not null default false,
    competence_decided boolean not null default false,
    awaits_content boolean not null default false,
    conflict    json,
    -- A row is ensured before it is locked; until its first fact it is empty, and no transaction ends so.
    check (version > 0 or state is null),
    check (version = 0 or num_nulls(state, sender, recipient, need, person, service, urgency, opened_at, changed_at, root,
                                    path, clock_from, asked) = 0),
    check ((parent is null) = (root = referral)),
    check ((parent is null) = (cardinality(path) = 0)),
    check ((held_from is not null) = (state in ('awaiting_information', 'waitlisted'))),
    check (conflict is null or state in ('requested', 'received', 'awaiting_information'))
) with (fillfactor = 50);
-- Indexes on what never changes only, so that an update stays on its page (HOT).
create index referral_opened on referral (opened_at desc, referral desc);
create index referral_recipient on referral (recipient, opened_at desc, referral desc);
create index referral_sender on referral (sender, opened_at desc, referral desc);
create index referral_need on referral (need);
create index referral_person on referral (person);
create index referral_chain on referral (root) where root <> referral;
-- And on what changes rarely and stands on few rows: only its own change leaves the page.
create index referral_stop_duty on referral (recipient, opened_at desc, referral desc) where stop_duty = 'open';
create index referral_conflict on referral (opened_at desc, referral desc) where conflict is not null;

-- Sealed parts wait here for their recipient only, in the fact's own transaction; never in a fact.
create table sealed (
    fact_id    uuid primary key references fact (fact_id),
    recipient  text not null,
    jwe        bytea not null,
    stored_at  timestamptz not null default now()
);
create index sealed_age on sealed (stored_at);

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

grant select, insert on fact to referrals_app;
grant select, insert, update, delete on referral to referrals_app;
grant select, insert, delete on sealed to referrals_app;
grant select, insert, update on intake_position to referrals_app;
grant select, update on relay_cursor to referrals_app;
create index fact_referral on fact (referral, position) where referral is not null;
create index fact_event on fact (event_id, owner) where event_id is not null;
