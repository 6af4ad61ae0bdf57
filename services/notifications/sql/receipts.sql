-- append_lock --
-- Its own statement, after all row locks and before the first position is drawn, held to the commit:
-- positions become visible in order, so the relay's cursor never passes a row that commits later.
select pg_advisory_xact_lock(7205759403792793857);

-- append --
insert into receipt (receipt_id, alert_id, status, attempt, code, problem, at)
select receipt_id, alert_id, status, attempt, code, problem, at
  from unnest($1::uuid[], $2::uuid[], $3::text[], $4::int[], $5::smallint[], $6::text[], $7::timestamptz[])
       with ordinality as made (receipt_id, alert_id, status, attempt, code, problem, at, place)
 order by place;

-- notify --
select pg_notify('notifications_receipts', '');
