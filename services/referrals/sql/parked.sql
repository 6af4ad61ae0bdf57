-- park --
-- Under the lock of all appends: what was released since this transaction looked is gone from here by now, and nothing is
-- left waiting behind it.
insert into parked (fact_id, root, owner, failed)
select made.*
  from unnest($1::uuid[], $2::uuid[], $3::text[], $4::boolean[]) as made (fact_id, root, owner, failed)
 where failed
    or root in (select root from unnest($2::uuid[], $4::boolean[]) as also (root, failed) where failed)
    or exists (select from parked where parked.root = made.root);

-- failures --
-- How many declarations wait for a mend.
select count(*) from parked where failed;

-- waiting --
-- How many records wait for their release, and since when the oldest does.
select count(*) as records, min(received_at) as oldest
  from parked
  join fact using (fact_id);

-- begin --
-- True for the one session that may release, until it has ended.
select pg_try_advisory_lock(hashtext('ruta referrals release'));

-- end --
select pg_advisory_unlock(hashtext('ruta referrals release'));

-- queues --
-- Where records wait, the oldest first: by chain, and each unreadable one alone.
select coalesce(root, fact_id) as queue, root
  from parked
  join fact using (fact_id)
 where $1::uuid is null or root = (select root from referral where referral = $1) or root = $1
 group by 1, 2
 order by min(position);

-- queue --
-- The first $2 that wait there, in the order in which they came, each with how many there are. Not "coalesce", which no
-- index answers.
select f.fact_id, p.topic, f.cluster, f.topic_id, f.partition, f.record_offset, f.digest, count(*) over () as waiting
  from parked
  join fact as f using (fact_id)
  join intake_position as p using (cluster, topic_id, partition)
 where root = $1 or root is null and fact_id = $1
 order by f.position
 limit $2;

-- release --
delete from parked where fact_id = any($1::uuid[]);
