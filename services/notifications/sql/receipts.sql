-- append_lock --
-- Its own statement, after all row locks and before the first position is drawn, held to the commit:
-- positions become visible in order, so the relay's cursor never passes a row that commits later. Who listens is told
-- when it commits.
select pg_advisory_xact_lock(7205759403792793857), pg_notify('notifications_receipts', '');

-- append --
insert into receipt (receipt_id, alert_id, status, attempt, code, problem, at)
select * from unnest($1::uuid[], $2::uuid[], $3::text[], $4::int[], $5::smallint[], $6::text[], $7::timestamptz[]);
