-- unreadable --
insert into unreadable (cluster, topic_id, partition, record_offset, topic, problem)
select * from unnest($1::text[], $2::text[], $3::int[], $4::bigint[], $5::text[], $6::text[])
    on conflict do nothing;

-- tell --
-- The alerts that are new, because a fact that comes again adds nothing; their mails' jobs, the most urgent first; the
-- receipts of what lies in an inbox now. The urgency of a referral's later facts is that of its request, which was told to
-- its recipient's inbox. One statement and no COPY: most batches hold a handful of alerts, and every question to the
-- server costs as much as they do. The jobs are rows as PgQueuer's own statement makes them, without its line in the log
-- that a job was queued: the alert says that, and the line with its indexes cost as much as the job.
with inserted as (
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
    returning alert_id, channel, urgency
), queued as (
    insert into pgqueuer.pgqueuer (entrypoint, payload, priority, status)
    select $20, uuid_send(alert_id), case urgency when 'U0' then 3 when 'U1' then 2 when 'U2' then 1 else 0 end,
           'queued'
      from inserted
     where channel = 'email'
), delivered as (
    -- The table's trigger takes the lock of all appends: when the new alerts have been read below, so behind all their
    -- locks. "Is true" makes the condition a look into a hash; as a join it would be a loop in a loop.
    insert into receipt (receipt_id, alert_id, status, attempt, at)
    select receipt_id, alert_id, 'delivered', 0, $19
      from unnest($1::uuid[], $4::text[], $18::uuid[]) as made (alert_id, channel, receipt_id)
     where channel = 'inbox' and (alert_id in (select alert_id from inserted)) is true
)
select alert_id from inserted;
