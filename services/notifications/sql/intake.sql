-- known_urgencies --
-- How urgent the referrals of later facts are: every request was told to its recipient's inbox.
select distinct on (referral) referral, urgency
  from alert
 where referral = any($1::uuid[])
   and kind = 'requested'
   and urgency is not null
 order by referral, position;

-- plan --
-- New alerts only: a fact that comes again finds its alerts and adds nothing.
insert into alert (alert_id, fact_id, recipient, channel, kind, referral, urgency, actor, occurred_at, reason, detail, verb,
                   event_id, record_offset, status)
select alert_id, fact_id, recipient, channel, kind, referral, urgency, actor, occurred_at, reason, detail, verb, event_id,
       record_offset, case channel when 'inbox' then 'delivered' else 'planned' end
  from unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::text[], $6::uuid[], $7::text[], $8::text[],
              $9::timestamptz[], $10::text[], $11::text[], $12::text[], $13::uuid[], $14::bigint[])
       with ordinality
       as planned (alert_id, fact_id, recipient, channel, kind, referral, urgency, actor, occurred_at, reason, detail, verb,
                   event_id, record_offset, place)
 order by place
    on conflict do nothing
returning alert_id;

-- unreadable --
insert into unreadable (cluster, topic_id, partition, record_offset, topic, problem)
select * from unnest($1::text[], $2::text[], $3::int[], $4::bigint[], $5::text[], $6::text[])
    on conflict do nothing;
