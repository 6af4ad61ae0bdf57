-- predecessor --
-- A closed log keeps the tables that it had: those of an older one say no reason.
select origin, vkey, checkpoint, kept, schema, to_jsonb(predecessor) ->> 'reason' as reason from predecessor;

-- positions --
select cluster, topic, topic_id, partition, next_offset
  from predecessor_position
 order by topic, partition, cluster, topic_id;

-- ends --
-- Where the first $1 leaves of this log end in every partition.
select distinct on (cluster, topic_id, partition) cluster, topic, topic_id, partition, last_offset + 1 as next_offset
  from entry
 where index < $1
 order by cluster, topic_id, partition, record_offset desc;

-- gaps --
select index, leaf from entry where kind = 'gap' order by index;

-- close --
-- Into the new log, which has nothing yet.
with closed as (
    insert into predecessor (origin, vkey, checkpoint, kept, schema, reason) values ($1, $2, $3, $4, $5, $6)
)
insert into predecessor_position (cluster, topic, topic_id, partition, next_offset)
select * from unnest($7::text[], $8::text[], $9::text[], $10::int[], $11::bigint[]);
