-- relay_lock --
select pg_try_advisory_lock(7205759403792793858);

-- relay_fence --
-- Ends the session that holds the lock; a role may end its own sessions.
select pg_terminate_backend(pid)
  from pg_locks
 where locktype = 'advisory' and granted and objsubid = 1
   and database = (select oid from pg_database where datname = current_database())
   and classid = (7205759403792793858 >> 32)::oid and objid = (7205759403792793858 & 4294967295)::oid;

-- relay_cursor --
select position from relay_cursor;

-- relay_read --
select r.position, r.alert_id, r.status, r.attempt, r.code, r.problem, r.at,
       a.fact_id, a.referral, a.recipient, a.channel, a.traceparent
  from receipt as r
  join alert as a using (alert_id)
 where r.position > $1
 order by r.position
 limit $2;

-- relay_advance --
update relay_cursor set position = $2 where position = $1;
