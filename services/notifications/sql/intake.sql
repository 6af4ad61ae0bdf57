-- known_urgencies --
-- How urgent the referrals of later facts are: every request was told to its recipient's inbox.
select distinct on (referral) referral, urgency
  from alert
 where referral = any($1::uuid[])
   and kind = 'requested'
   and urgency is not null
 order by referral, position;

-- known --
-- The alerts that are there already: a fact that comes again adds nothing.
select alert_id from alert where alert_id = any($1::uuid[]);

-- unreadable --
insert into unreadable (cluster, topic_id, partition, record_offset, topic, problem)
select * from unnest($1::text[], $2::text[], $3::int[], $4::bigint[], $5::text[], $6::text[])
    on conflict do nothing;
