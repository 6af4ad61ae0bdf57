-- positions --
-- Where this service goes on in every partition it has ever read.
select topic_id, partition, next_offset
  from intake_position
 where cluster = $1;

-- first_sight --
-- A partition that was never read before begins at the first record that Kafka still has.
insert into intake_position (cluster, topic_id, partition, topic, next_offset)
select $1, topic_id, partition, topic, next_offset
  from unnest($2::text[], $3::int[], $4::text[], $5::bigint[]) as seen (topic_id, partition, topic, next_offset)
    on conflict do nothing;

-- advance --
-- Compare and set: a process that has been replaced finds other positions and moves nothing.
update intake_position as stored
   set next_offset = batch.after
  from unnest($2::text[], $3::int[], $4::bigint[], $5::bigint[]) as batch (topic_id, partition, expected, after)
 where stored.cluster = $1
   and stored.topic_id = batch.topic_id
   and stored.partition = batch.partition
   and stored.next_offset = batch.expected;
