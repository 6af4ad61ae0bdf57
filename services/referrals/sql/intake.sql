-- ensure --
-- New referrals get an empty row, so that two workers lock the same thing instead of both seeing nothing.
insert into referral (referral, version)
select id, 0 from unnest($1::uuid[]) as wanted (id) order by id
    on conflict do nothing;

-- lock --
-- A join, not "= any": for large batches the planner would read another index as a whole.
select stored.referral, version, state, sender, recipient, need, person, service, urgency, opened_at, changed_at
  from unnest($1::uuid[]) as named (referral)
  join referral as stored using (referral)
 order by stored.referral
   for update of stored;

-- claims --
-- Which declarations these owners have already had answered; more rows than pairs do no harm.
select owner, event_id, fact_id, digest, outcome
  from fact
 where event_id = any($1::uuid[])
   and owner = any($2::text[])
   and ordinal = 0
   and outcome in ('applied', 'refused');

-- save --
update referral as stored
   set version = after.version, state = after.state, sender = after.sender, recipient = after.recipient,
       need = after.need, person = after.person, service = after.service, urgency = after.urgency,
       opened_at = after.opened_at, changed_at = after.changed_at
  from unnest($1::uuid[], $2::int[], $3::text[], $4::text[], $5::text[], $6::uuid[], $7::uuid[], $8::text[],
              $9::text[], $10::timestamptz[], $11::timestamptz[])
       as after (referral, version, state, sender, recipient, need, person, service, urgency, opened_at, changed_at)
 where stored.referral = after.referral;

-- forget --
-- Rows that were ensured in vain: the request that named them was not applied.
delete from referral as stored
 using unnest($1::uuid[]) as named (referral)
 where stored.referral = named.referral and stored.version = 0;

-- append_lock --
-- Its own statement, after all row locks and before the first position is drawn, held to the commit:
-- positions become visible in order, so the relay's cursor never passes a row that commits later.
select pg_advisory_xact_lock(7205759403792793601);

-- notify --
select pg_notify('referrals_facts', '');
