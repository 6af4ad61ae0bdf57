-- newest --
select c.size, b.root, b.stored_at, c.note
  from checkpoint c join batch b on b.first_index + b.n = c.size
 order by c.size desc limit 1;

-- leaf --
select leaf from entry where index = $1;

-- entries --
-- Leaves about a referral or a fact, in the order of the log.
select index, kind, topic, partition, record_offset as offset, owner, event_id as event, fact_id as fact, referral, leaf
  from entry
 where ($1::uuid is null or referral = $1)
   and ($2::uuid is null or fact_id = $2)
   and index > $3
 order by index
 limit $4;
