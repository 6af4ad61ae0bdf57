-- append --
-- The table's trigger takes the lock of all appends: after all row locks, and nothing may follow but the commit.
insert into receipt (receipt_id, alert_id, status, attempt, code, problem, at)
select * from unnest($1::uuid[], $2::uuid[], $3::text[], $4::int[], $5::smallint[], $6::text[], $7::timestamptz[]);
