-- unreadable --
-- Where the facts are that could not be read, each partition's in their order: a request before what follows it.
select cluster, topic_id, topic, partition, record_offset
  from unreadable
 order by topic, partition, record_offset;

-- read --
delete from unreadable where cluster = $1 and topic_id = $2 and partition = $3 and record_offset = $4;

-- kept --
-- How many there are of which Kafka may still have the record.
select count(*) from unreadable where seen_at > now() - $1::interval;
