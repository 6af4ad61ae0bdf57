-- counts --
-- What the screen of `ruta up` counts.
select (select count(*) from referrals.referral) as referrals,
       (select count(*) from referrals.referral where state not in ('closed', 'redirected', 'withdrawn', 'voided'))
           as open_referrals,
       (select count(*) from referrals.fact) as decided,
       (select count(*) from referrals.fact where outcome = 'applied') as applied,
       (select count(*) from referrals.fact where outcome = 'refused') as refused,
       (select count(*) from referrals.fact where outcome = 'duplicate') as duplicates,
       (select count(*) from referrals.fact where outcome = 'conflict') as conflicts,
       (select count(*) from referrals.fact where outcome = 'quarantined') as quarantined,
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
select f.fact_id, f.outcome, f.owner, p.topic, f.partition, f.record_offset, f.digest, f.referral, f.version,
       f.parties, s.recipient as sealed_for
  from referrals.fact as f
  join referrals.intake_position as p using (cluster, topic_id, partition)
  left join referrals.sealed as s using (fact_id)
 order by f.position;

-- versions --
select referral, version from referrals.referral;

-- alerts --
select alert_id, fact_id, recipient, channel, status from notifications.alert;

-- leaves --
select topic, partition, record_offset, count(*) as leaves
  from audit.entry
 where kind <> 'gap'
 group by 1, 2, 3;

-- behind --
-- Work that is stored and not done: facts and receipts to publish, mails to send.
select (select coalesce(max(position), 0) from referrals.fact) - (select position from referrals.relay_cursor) as facts,
       (select coalesce(max(position), 0) from notifications.receipt)
           - (select position from notifications.relay_cursor) as receipts,
       (select count(*) from notifications.alert where status in ('planned', 'failed')) as mails;
