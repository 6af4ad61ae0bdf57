-- counts --
-- What the screen of `ruta up` counts.
select (select count(*) from referrals.referral) as referrals,
       (select count(*) from referrals.referral where state not in ('closed', 'redirected', 'withdrawn', 'voided'))
           as open_referrals,
       (select count(*) from referrals.fact where ordinal = 0) as decided,
       (select count(*) from referrals.fact where outcome = 'applied' and answer) as applied,
       (select count(*) from referrals.fact where outcome = 'refused') as refused,
       (select count(*) from referrals.fact where outcome = 'duplicate') as duplicates,
       (select count(*) from referrals.fact where outcome = 'conflict') as conflicts,
       (select count(*)
          from referrals.fact
         where outcome = 'quarantined'
           and (convert_from(value, 'UTF8')::json ->> 'problem' <> 'internal-error'
                or fact_id in (select fact_id from referrals.parked))) as quarantined,
       (select count(*) from referrals.parked) as parked,
       (select count(*) from notifications.alert) as alerts,
       (select count(*) from notifications.alert where channel = 'email' and status = 'sent') as mails,
       (select count(*) from audit.entry) as leaves;

-- latest_alerts --
select occurred_at, recipient, kind, urgency, actor, referral
  from notifications.alert
 where channel = 'inbox'
 order by position desc
 limit $1;

-- facts --
select f.fact_id, f.outcome, f.ordinal, f.answer,
       f.outcome = 'parked' or f.outcome = 'quarantined' and convert_from(f.value, 'UTF8')::json ->> 'problem' = 'internal-error'
           as provisional,
       w.fact_id is not null as waits, f.owner, p.topic, f.topic_id, f.partition, f.record_offset, f.digest, f.referral,
       f.version,
       f.parties, s.recipient as sealed_for
  from referrals.fact as f
  join referrals.intake_position as p using (cluster, topic_id, partition)
  left join referrals.sealed as s using (fact_id)
  left join referrals.parked as w using (fact_id)
 order by f.position;

-- versions --
select referral, version from referrals.referral order by opened_at, referral;

-- alerts --
select alert_id, fact_id, recipient, channel from notifications.alert order by position;

-- leaves --
-- Of the log in view, and of the topics that there are: one made anew under an old name has another id.
select topic, partition, record_offset, count(*) as leaves
  from entry
 where kind <> 'gap' and topic_id = any($1::text[])
 group by 1, 2, 3
 order by 1, 2, 3;

-- logs --
-- The log, and those that were closed before it began.
select nspname as schema from pg_namespace where nspname ~ '^audit(_closed_[0-9]+)?$';

-- behind --
-- Work that is stored and not done. The names are what people read while they wait.
select (select coalesce(max(position), 0) from referrals.fact)
           - (select position from referrals.relay_cursor) as "facts to publish",
       (select coalesce(max(position), 0) from notifications.receipt)
           - (select position from notifications.relay_cursor) as "receipts to publish",
       (select count(*) from notifications.alert where status in ('planned', 'failed')) as "e-mails to send";

-- positions --
-- Where each service goes on in every partition that it has read.
select 'referrals' as service, topic_id, partition, next_offset from referrals.intake_position where cluster = $1
union all
select 'notifications', topic_id, partition, next_offset from notifications.intake_position where cluster = $1
union all
select 'audit', topic_id, partition, max(next_offset) from audit.span where cluster = $1 group by topic_id, partition;

-- quarantined --
-- The newest records that could not be read; what failed in our own rules only until it is released.
select received_at, value
  from referrals.fact
 where outcome = 'quarantined'
   and (convert_from(value, 'UTF8')::json ->> 'problem' <> 'internal-error'
        or fact_id in (select fact_id from referrals.parked))
 order by position desc
 limit 500;

-- waiting --
-- What waits for a mend of our own rules, the oldest first: by chain, and all unreadable records together.
select root, count(*) as records, min(received_at) as oldest
  from referrals.parked
  join referrals.fact using (fact_id)
 group by root
 order by min(position);
