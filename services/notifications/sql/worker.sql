-- letters --
select alert_id, fact_id, recipient, channel, kind, referral, urgency, actor, occurred_at, reason, detail, verb, event_id,
       record_offset, planned_at, attempts
  from alert
 where alert_id = any($1::uuid[]);

-- settle --
-- An alert ends once: of two workers that hold the same mail, the one that comes after the end changes nothing. Where it
-- changes something, the commit waits for the disk, as this connection's others do not.
update alert as stored
   set status = after.status, attempts = stored.attempts + 1
  from unnest($1::uuid[], $2::text[]) as after (alert_id, status)
 where stored.alert_id = after.alert_id
   and stored.status in ('planned', 'failed')
returning stored.alert_id, stored.attempts, set_config('synchronous_commit', 'on', true);

-- forget_job_log --
delete from pgqueuer.pgqueuer_log where created < now() - $1::interval;

-- queue --
-- How many mails wait, and since when.
select count(*) as waiting, min(created) as oldest from pgqueuer.pgqueuer;

-- urgent --
-- How many mails of U0 and U1 are due, counted up to $2.
select count(*)
  from (select from pgqueuer.pgqueuer
         where entrypoint = $1 and status = 'queued' and priority >= 2 and execute_after <= now()
         limit $2) as due;
