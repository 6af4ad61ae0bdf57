-- lock --
-- Held by the session that writes: it falls with the connection, and a standby takes over.
select pg_try_advisory_lock(hashtext('ruta audit sequencer'));

-- last_batch --
select b.first_index, b.n, b.root, c.note
  from batch b left join checkpoint c on c.size = b.first_index + b.n
 order by b.first_index desc limit 1;

-- entries_end --
select coalesce(max(index) + 1, 0) from entry;

-- positions --
-- Where to go on in each of these partitions.
select wanted.topic_id, wanted.partition, last.next_offset
  from unnest($2::text[], $3::int[]) as wanted (topic_id, partition)
 cross join lateral (
       select next_offset from span s
        where s.cluster = $1 and s.topic_id = wanted.topic_id and s.partition = wanted.partition
        order by from_offset desc limit 1) as last;

-- owner_tails --
select wanted.owner, last.owner_seq as seq, last.index
  from unnest($1::text[]) as wanted (owner)
 cross join lateral (
       select owner_seq, index from entry e where e.owner = wanted.owner order by index desc limit 1) as last;

-- referral_tails --
select wanted.referral, last.referral_seq as seq, last.index
  from unnest($1::uuid[]) as wanted (referral)
 cross join lateral (
       select referral_seq, index from entry e where e.referral = wanted.referral order by index desc limit 1) as last;

-- first_uses --
select owner, event_id, index, same from first_use where event_id = any($1::uuid[]) and owner = any($2::text[]);

-- append --
-- What a batch has few rows of, in one round trip; its leaves and sealed records follow by COPY in the transaction.
with new_batch as (
    insert into batch (first_index, n, root) values ($1, $2, $3)
), new_checkpoint as (
    insert into checkpoint (size, note) values ($1 + $2, $4)
), new_spans as (
    insert into span (first_index, cluster, topic_id, partition, from_offset, next_offset)
    select $1, * from unnest($5::text[], $6::text[], $7::int[], $8::bigint[], $9::bigint[])
)
insert into tile (level, n, hashes) select * from unnest($10::smallint[], $11::bigint[], $12::bytea[]);

-- tile --
select hashes from tile where level = $1 and n = $2;

-- tiles_from --
select n, hashes from tile where level = $1 and n >= $2 and n < $3 order by n;

-- leaves_from --
select index, leaf from entry where index >= $1 and index < $2 order by index;
