-- referral --
select referral, version, state, sender, recipient, need, person, service, urgency, opened_at, changed_at, root, parent, path,
       redirected_by, clock_from, follows, asked, held_from, stop_duty, revoked, escalated, competence_decided,
       awaits_content, conflict
  from referral
 where referral = $1 and version > 0;

-- chain --
-- All referrals that redirections made of the same one, the first first.
select referral, version, state, sender, recipient, need, person, service, urgency, opened_at, changed_at, root, parent, path,
       redirected_by, clock_from, follows, asked, held_from, stop_duty, revoked, escalated, competence_decided,
       awaits_content, conflict
  from referral
 where version > 0
   and (referral = (select root from referral where referral = $1)
        or root <> referral and root = (select root from referral where referral = $1))
 order by cardinality(path);

-- stop_duties --
-- Who was told to stop using the data and has not confirmed it, the longest waiting first, and why it was told.
select referral, version, state, sender, recipient, need, person, service, urgency, opened_at, changed_at, root, parent, path,
       redirected_by, clock_from, follows, asked, held_from, stop_duty, revoked, escalated, competence_decided,
       awaits_content, conflict, since, because
  from referral as r
 cross join lateral (
       select received_at as since, convert_from(value, 'UTF8')::json #>> '{details,because}' as because
         from fact
        where fact.referral = r.referral and kind = 'stop-duty-opened'
        order by position desc
        limit 1) as told
 where stop_duty = 'open' and ($1::text is null or recipient = $1)
 order by since, referral
 limit $2;

-- conflicts --
-- Open competence conflicts, of an institution as a party or as the sender, the oldest first.
select referral, version, state, sender, recipient, need, person, service, urgency, opened_at, changed_at, root, parent, path,
       redirected_by, clock_from, follows, asked, held_from, stop_duty, revoked, escalated, competence_decided,
       awaits_content, conflict
  from referral
 where conflict is not null
   and ($1::text is null or sender = $1 or $1 in (select json_array_elements_text(conflict #> '{opened,parties}')))
 order by (conflict ->> 'opened_at')::timestamptz, referral
 limit $2;

-- timeline --
-- A page of the facts about these referrals, refusals included, in the order in which they were decided: $3 of them
-- behind the position $2. Of each referral no more is read, however long its history is.
select of_one.*
  from unnest($1::uuid[]) as named (referral)
 cross join lateral (
       select referral, position, fact_id, kind, outcome, version, owner, event_id, received_at, value
         from fact
        where fact.referral = named.referral and position > $2
        order by position
        limit $3) as of_one
 order by position
 limit $3;

-- history --
-- A page of the facts about a referral, newest first: $3 of them before the position $2 (null: from the end).
select position, fact_id, value
  from fact
 where referral = $1 and ($2::bigint is null or position < $2)
 order by position desc
 limit $3;

-- outcome --
-- The answer to a declaration: the claim if there is one, else the newest thing that happened to that id.
select *
  from (select fact_id, kind, outcome, referral, version, received_at, value
          from fact
         where event_id = $2 and owner = $1 and answer and outcome in ('applied', 'refused')
        union all
        (select fact_id, kind, outcome, referral, version, received_at, value
           from fact
          where event_id = $2 and owner = $1 and answer and outcome not in ('applied', 'refused')
          order by position desc
          limit 1)) as found
 order by (outcome in ('applied', 'refused')) desc
 limit 1;

-- applied_facts --
-- What the state is folded from.
select position, fact_id, referral, need, value
  from fact
 where version is not null and position > $1
 order by position
 limit $2;

-- states --
select referral, version, state, sender, recipient, need, person, service, urgency, opened_at, changed_at, root, parent, path,
       redirected_by, clock_from, follows, asked, held_from, stop_duty, revoked, escalated, competence_decided,
       awaits_content, conflict
  from referral
 order by referral;
