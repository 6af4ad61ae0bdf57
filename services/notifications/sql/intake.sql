-- unreadable --
insert into unreadable (cluster, topic_id, partition, record_offset, topic, problem)
select * from unnest($1::text[], $2::text[], $3::int[], $4::bigint[], $5::text[], $6::text[])
    on conflict do nothing;

-- insert --
-- The alerts that are new, because a fact that comes again adds nothing; the urgency of a referral's later facts is that
-- of its request, which was told to its recipient's inbox. One statement and no COPY: most batches hold a handful of
-- alerts, and every question to the server costs as much as they do.
insert into alert (alert_id, fact_id, recipient, channel, kind, referral, urgency, actor, occurred_at, reason, detail,
                   verb, event_id, record_offset, traceparent, status)
select alert_id, fact_id, recipient, channel, kind, referral,
       coalesce(urgency, (select request.urgency
                            from alert as request
                           where inherits and request.referral = made.referral
                             and request.kind = 'requested' and request.urgency is not null
                           order by request.position
                           limit 1)),
       actor, occurred_at, reason, detail, verb, event_id, record_offset, traceparent, status
  from unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::text[], $6::uuid[], $7::bool[], $8::text[],
              $9::text[], $10::timestamptz[], $11::text[], $12::text[], $13::text[], $14::uuid[], $15::bigint[],
              $16::text[], $17::text[])
       as made (alert_id, fact_id, recipient, channel, kind, referral, inherits, urgency, actor, occurred_at, reason,
                detail, verb, event_id, record_offset, traceparent, status)
    on conflict do nothing
returning alert_id, urgency;
