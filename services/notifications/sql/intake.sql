-- known --
-- One look at what is there already: these alerts, because a fact that comes again adds nothing, and the urgencies of
-- these referrals, because every request was told to its recipient's inbox.
select alert_id as id, null as urgency
  from alert
 where alert_id = any($1::uuid[])
union all
(select distinct on (referral) referral, urgency
   from alert
  where referral = any($2::uuid[])
    and kind = 'requested'
    and urgency is not null
  order by referral, position);

-- unreadable --
insert into unreadable (cluster, topic_id, partition, record_offset, topic, problem)
select * from unnest($1::text[], $2::text[], $3::int[], $4::bigint[], $5::text[], $6::text[])
    on conflict do nothing;

-- insert --
-- COPY is a question more to the server, and most batches hold a handful of alerts.
insert into alert (alert_id, fact_id, recipient, channel, kind, referral, urgency, actor, occurred_at, reason, detail,
                   verb, event_id, record_offset, traceparent, status)
select * from unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::text[], $6::uuid[], $7::text[], $8::text[],
                     $9::timestamptz[], $10::text[], $11::text[], $12::text[], $13::uuid[], $14::bigint[], $15::text[],
                     $16::text[]);
