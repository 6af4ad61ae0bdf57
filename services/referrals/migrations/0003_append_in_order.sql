-- Whoever appends facts holds this lock from before the first position is drawn to the commit: positions become visible
-- in order, so the relay's cursor never passes a row that commits later. On the table, so that nobody can forget it.
create function append_in_order() returns trigger language plpgsql as $$
begin
    perform pg_advisory_xact_lock(7205759403792793601);
    return null;
end $$;
create trigger append_in_order before insert on fact for each statement execute function append_in_order();
