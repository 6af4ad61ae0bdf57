-- enqueue --
insert into pgqueuer.pgqueuer (entrypoint, payload, priority, status)
select $1, payload, priority, 'queued' from unnest($2::bytea[], $3::int[]) as job (payload, priority);
