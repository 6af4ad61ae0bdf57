-- ensure --
-- New referrals get an empty row, so that two workers lock the same thing instead of both seeing nothing. Before that
-- the senders of requests are locked: two requests for one person can come on an institution's own topic and through the
-- desk, and are taken one after the other.
insert into referral (referral, version)
select id, 0
  from unnest($1::uuid[]) as wanted (id),
       (select count(pg_advisory_xact_lock(1919251571, hashtext(sender)))
          from (select distinct sender from unnest($2::text[]) as named (sender) order by sender) as senders) as held
 order by id
    on conflict do nothing;

-- lock --
-- The roots of all chains that are named, new rows among them; whoever changes a chain holds its root. A root never
-- changes, so it may be read before the lock. Joins, not "= any": for large batches the planner would read another
-- index as a whole.
select stored.referral, stored.version, stored.state, stored.sender, stored.recipient, stored.need, stored.person,
       stored.service, stored.urgency, stored.opened_at, stored.changed_at, stored.root, stored.parent, stored.path,
       stored.redirected_by, stored.clock_from, stored.follows, stored.asked, stored.held_from, stored.stop_duty,
       stored.revoked, stored.escalated, stored.competence_decided, stored.awaits_content, stored.conflict
  from (select distinct coalesce(known.root, named.referral) as referral
          from unnest($1::uuid[]) as named (referral)
          left join referral as known using (referral)) as roots
  join referral as stored using (referral)
 order by stored.referral
   for update of stored;

-- lock_chains --
-- The other referrals of these chains; nobody else locks them without holding their root.
select stored.referral, stored.version, stored.state, stored.sender, stored.recipient, stored.need, stored.person,
       stored.service, stored.urgency, stored.opened_at, stored.changed_at, stored.root, stored.parent, stored.path,
       stored.redirected_by, stored.clock_from, stored.follows, stored.asked, stored.held_from, stored.stop_duty,
       stored.revoked, stored.escalated, stored.competence_decided, stored.awaits_content, stored.conflict
  from referral as stored
 where stored.root = any($1::uuid[]) and stored.referral <> stored.root
 order by stored.referral
   for update;

-- formers --
-- What these senders, locked by "ensure", have already asked for these persons.
select stored.sender, stored.person, stored.referral, stored.recipient, stored.service, stored.state, stored.opened_at
  from (select distinct sender, person from unnest($1::text[], $2::uuid[]) as asked (sender, person)) as asked
  join referral as stored using (person)
    -- Not "=", or the planner may read all that a sender ever sent.
 where stored.sender is not distinct from asked.sender;

-- answered --
-- Read behind the locks: which declarations these owners have already had answered (more rows than pairs do no harm),
-- and whose declarations wait in these chains, of which nobody parks or releases one meanwhile.
select outcome, owner, event_id as id, fact_id, digest
  from fact
 where event_id = any($1::uuid[])
   and owner = any($2::text[])
   and answer
   and outcome in ('applied', 'refused')
union all
select 'parked', owner, root, null, null
  from parked
 where root = any($3::uuid[]);

-- write --
-- The states of referrals that are new (their rows were ensured) and of others, of which only what may change; rows that
-- were ensured in vain go, because the request that named them was not applied; the facts in their order, which the relay
-- keeps, and their sealed parts. All these rows are locked already, so nothing waits behind the lock of all appends, which
-- the table's trigger takes. One statement and no COPY: most batches hold a handful of facts, and every question to the
-- server costs as much as they do.
with opened as (
    update referral as stored
       set version = made.version, state = made.state, changed_at = made.changed_at, held_from = made.held_from,
           stop_duty = made.stop_duty, revoked = made.revoked, escalated = made.escalated,
           competence_decided = made.competence_decided, awaits_content = made.awaits_content, conflict = made.conflict,
           sender = made.sender, recipient = made.recipient, need = made.need, person = made.person,
           service = made.service, urgency = made.urgency, opened_at = made.opened_at, root = made.root,
           parent = made.parent, path = string_to_array(made.path, ' '), redirected_by = made.redirected_by,
           clock_from = made.clock_from, follows = made.follows, asked = made.asked
      from unnest($1::uuid[], $2::int[], $3::text[], $4::timestamptz[], $5::text[], $6::text[], $7::bool[], $8::bool[],
                  $9::bool[], $10::bool[], $11::json[], $12::text[], $13::text[], $14::uuid[], $15::uuid[], $16::text[],
                  $17::text[], $18::timestamptz[], $19::uuid[], $20::uuid[], $21::text[], $22::text[],
                  $23::timestamptz[], $24::uuid[], $25::json[])
           as made (referral, version, state, changed_at, held_from, stop_duty, revoked, escalated, competence_decided,
                    awaits_content, conflict, sender, recipient, need, person, service, urgency, opened_at, root, parent,
                    path, redirected_by, clock_from, follows, asked)
     where stored.referral = made.referral
), changed as (
    update referral as stored
       set version = after.version, state = after.state, changed_at = after.changed_at, held_from = after.held_from,
           stop_duty = after.stop_duty, revoked = after.revoked, escalated = after.escalated,
           competence_decided = after.competence_decided, awaits_content = after.awaits_content,
           conflict = after.conflict
      from unnest($26::uuid[], $27::int[], $28::text[], $29::timestamptz[], $30::text[], $31::text[], $32::bool[],
                  $33::bool[], $34::bool[], $35::bool[], $36::json[])
           as after (referral, version, state, changed_at, held_from, stop_duty, revoked, escalated, competence_decided,
                     awaits_content, conflict)
     where stored.referral = after.referral
), forgotten as (
    delete from referral as stored
     using unnest($59::uuid[]) as named (referral)
     where stored.referral = named.referral and stored.version = 0
), appended as (
    insert into fact (fact_id, kind, outcome, ordinal, answer, referral, version, need, owner, event_id, digest,
                      parties, received_at, cluster, topic_id, partition, record_offset, value, traceparent)
    select fact_id, kind, outcome, ordinal, answer, referral, version, need, owner, event_id, digest,
           string_to_array(parties, ' '), received_at, cluster, topic_id, partition, record_offset, value, traceparent
      from unnest($37::uuid[], $38::text[], $39::text[], $40::smallint[], $41::bool[], $42::uuid[], $43::int[],
                  $44::uuid[], $45::text[], $46::uuid[], $47::bytea[], $48::text[], $49::timestamptz[], $50::text[],
                  $51::text[], $52::int[], $53::bigint[], $54::bytea[], $55::text[])
           as made (fact_id, kind, outcome, ordinal, answer, referral, version, need, owner, event_id, digest, parties,
                    received_at, cluster, topic_id, partition, record_offset, value, traceparent)
)
insert into sealed (fact_id, recipient, jwe)
select * from unnest($56::uuid[], $57::text[], $58::bytea[]);

-- notify --
-- Wakes the relay of another process when this commits.
select pg_notify('referrals_facts', '');
