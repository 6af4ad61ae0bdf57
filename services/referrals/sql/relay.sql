-- relay_lock --
select pg_try_advisory_lock(7205759403792793602);

-- relay_fence --
-- Ends the session that holds the lock; a role may end its own sessions.
select pg_terminate_backend(pid)
  from pg_locks
 where locktype = 'advisory' and granted and objsubid = 1
   and database = (select oid from pg_database where datname = current_database())
   and classid = (7205759403792793602 >> 32)::oid and objid = (7205759403792793602 & 4294967295)::oid;

-- relay_cursor --
select position from relay_cursor;

-- relay_read --
select f.position, f.fact_id, f.kind, f.referral, f.need, f.owner, f.event_id, f.parties, f.received_at, f.value,
       f.traceparent,
       s.recipient as sealed_for, s.jwe
  from fact as f
  left join sealed as s using (fact_id)
 where f.position > $1
 order by f.position
 limit $2;

-- relay_advance --
update relay_cursor set position = $2 where position = $1;

-- forget_sealed --
-- Only what its recipient's topic has had: a relay that stood still must not find it gone.
delete from sealed as s
 using fact as f, relay_cursor as c
 where f.fact_id = s.fact_id
   and s.stored_at < $1
   and f.position <= c.position;
