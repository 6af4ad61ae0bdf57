-- referrals --
-- A page of referrals, newest change first. Null filters mean any.
select referral, version, state, sender, recipient, need, service, urgency, opened_at, changed_at
  from referral
 where ($1::text is null or sender = $1 or recipient = $1)
   and ($2::text is null or state = $2)
   and ($3::uuid is null or need = $3)
   and ($4::timestamptz is null or (changed_at, referral) < ($4, $5::uuid))
 order by changed_at desc, referral desc
 limit $6;

-- referral --
select referral, version, state, sender, recipient, need, service, urgency, opened_at, changed_at
  from referral
 where referral = $1;

-- timeline --
-- Every fact about a referral, refusals included, in the order in which they were decided.
select position, fact_id, kind, outcome, version, owner, event_id, received_at, value
  from fact
 where referral = $1
 order by position;

-- outcome --
-- The answer to a declaration: the claim if there is one, else the newest thing that happened to that id.
select fact_id, kind, outcome, referral, version, received_at, value
  from fact
 where owner = $1 and event_id = $2
 order by (ordinal = 0 and outcome in ('applied', 'refused')) desc, position desc
 limit 1;

-- quarantined --
select position, fact_id, owner, event_id, received_at, value
  from fact
 where outcome = 'quarantined' and position > $1
 order by position
 limit $2;

-- applied_facts --
-- What the state is folded from.
select position, fact_id, referral, need, received_at, value
  from fact
 where version is not null and position > $1
 order by position
 limit $2;

-- states --
select referral, version, state, sender, recipient, need, person, service, urgency, opened_at, changed_at
  from referral
 order by referral;

-- behind --
-- How many facts are not published yet.
select (select coalesce(max(position), 0) from fact) - (select position from relay_cursor) as facts;
