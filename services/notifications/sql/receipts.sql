-- append_lock --
-- Its own statement, after all row locks and before the first position is drawn, held to the commit:
-- positions become visible in order, so the relay's cursor never passes a row that commits later. Who listens is told
-- when it commits.
select pg_advisory_xact_lock(7205759403792793857), pg_notify('notifications_receipts', '');
