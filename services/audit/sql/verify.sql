-- batches --
select b.first_index, b.n, b.root, c.note,
       array(select row (s.cluster, s.topic_id, s.partition, s.from_offset, s.next_offset)
               from span s where s.first_index = b.first_index) as spans
  from batch b left join checkpoint c on c.size = b.first_index + b.n
 order by b.first_index;

-- entries --
select e.*, s.content, u.index as used_at, u.same as used_same
  from entry e
  left join sealed s on s.index = e.index
  left join first_use u on u.owner = e.owner and u.event_id = e.event_id
 order by e.index;

-- tile --
select hashes from tile where level = $1 and n = $2;

-- surplus_entry --
select index as at from entry where index >= $1 order by 1 limit 1;

-- surplus_checkpoint --
select c.size - 1 as at from checkpoint c
 where not exists (select from batch b where b.first_index + b.n = c.size) order by 1 limit 1;

-- surplus_tile --
-- $2: how many levels have full tiles at this size.
select n << 8 as at from tile where level >= $2 or n >= $1::bigint >> (8 * (level + 1)) order by level, n limit 1;

-- surplus_sealed --
select s.index as at from sealed s
 where not exists (select from entry e where e.index = s.index) order by 1 limit 1;

-- surplus_first_use --
select u.index as at from first_use u
 where not exists (select from entry e where e.index = u.index and e.owner = u.owner
                                         and e.event_id = u.event_id and e.kind = 'event') order by 1 limit 1;

-- surplus_span --
select s.first_index as at from span s
 where not exists (select from batch b where b.first_index = s.first_index) order by 1 limit 1;

-- offsets --
-- Every partition begins at 0, and each leaf goes on where the one before it ended; in the log in the same order.
select index as at from (
       select index, record_offset, lag(last_offset) over w as before, lag(index) over w as earlier
         from entry window w as (partition by cluster, topic_id, partition order by record_offset, index)) as chained
 where record_offset <> coalesce(before + 1, 0) or earlier > index
 order by index limit 1;

-- owners --
select index as at from (
       select index, owner_seq, owner_prev, row_number() over w as seq, lag(index) over w as prev
         from entry window w as (partition by owner order by index)) as chained
 where (owner_seq, owner_prev) is distinct from (seq, prev)
 order by index limit 1;

-- referrals --
select index as at from (
       select index, referral_seq, referral_prev, row_number() over w as seq, lag(index) over w as prev
         from entry where referral is not null
       window w as (partition by referral order by index)) as chained
 where (referral_seq, referral_prev) is distinct from (seq, prev)
 order by index limit 1;
