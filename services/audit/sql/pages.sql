-- latest --
-- A page of leaves, newest first. $1 to $2: referral or fact; $4: kind, one of the rare ones. Null filters mean any.
select e.index, e.leaf, b.stored_at
  from entry as e
 cross join lateral (
       select stored_at from batch where first_index <= e.index order by first_index desc limit 1) as b
 where ($1::uuid is null or e.referral between $1 and $2::uuid or e.fact_id between $1 and $2)
   and ($3::text is null or e.owner = $3)
   and ($4::text is null or (e.kind = $4 and e.kind <> 'event'))
   and ($5::bigint is null or e.index < $5)
 order by e.index desc
 limit $6;

-- stored --
-- One leaf, and when it was added.
select e.leaf, b.stored_at
  from entry as e
 cross join lateral (
       select stored_at from batch where first_index <= e.index order by first_index desc limit 1) as b
 where e.index = $1;
