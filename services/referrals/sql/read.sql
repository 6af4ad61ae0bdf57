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
