-- What waits for a mend of ours. A record on which our own rules failed, and every later one of its chain, has a
-- provisional outcome until it is released; then its second fact is its outcome.
create table parked (
    fact_id uuid primary key references fact (fact_id),
    -- Of the chain that waits with it; null where the record could not be read, so that nothing waits behind it.
    root    uuid,
    owner   text not null,
    -- The rules failed on this one; the others stand behind it.
    failed  boolean not null
);
create index parked_root on parked (root);
grant select, insert, delete on parked to referrals_app;

alter table fact add column answer boolean;
update fact set answer = (ordinal = 0);
alter table fact
    -- The outcome of its record; what follows from it is none.
    alter column answer set not null,
    drop constraint fact_check2,
    add constraint fact_answer check (outcome = 'applied' or answer),
    drop constraint fact_outcome_check,
    add constraint fact_outcome_check
        check (outcome in ('applied', 'refused', 'duplicate', 'conflict', 'quarantined', 'parked'));
drop index fact_claim;
create unique index fact_claim on fact (event_id, owner) where answer and outcome in ('applied', 'refused');
-- What answers an id that was not used up; beside fact_claim it finds the outcome of every declaration.
drop index fact_event;
create index fact_unclaimed on fact (event_id, owner)
 where answer and outcome not in ('applied', 'refused') and event_id is not null;
