-- decided --
-- How many records of institutions have been decided.
select coalesce(sum(next_offset), 0)::bigint from referrals.intake_position;

-- told --
-- How many facts have their alerts.
select coalesce(sum(next_offset), 0)::bigint from notifications.intake_position;

-- receipts --
select count(*) from notifications.receipt;

-- logged --
-- How many leaves the log has.
select coalesce(max(first_index + n), 0) from audit.batch where first_index = (select max(first_index) from audit.batch);

-- has_leaf --
-- Whether a declaration is in the log: its owner and id are stored with its leaf.
select exists (select from audit.first_use where owner = $1 and event_id = $2);

-- outcomes --
select outcome, count(*) as records from referrals.fact where answer group by outcome;

-- mails --
-- E-mail alerts that nobody has sent yet.
select count(*) from notifications.alert where status in ('planned', 'failed');

-- counts --
select (select count(*) from referrals.fact) as facts,
       (select count(*) from notifications.alert) as alerts,
       (select count(*) from audit.entry) as leaves;

-- held --
select (select count(*) from pg_stat_activity where backend_type = 'client backend') as connections,
       pg_database_size(current_database()) as bytes;

-- wal --
-- The write-ahead log so far, in bytes.
select pg_wal_lsn_diff(pg_current_wal_lsn(), '0/0')::bigint as wal, pg_database_size(current_database()) as bytes;

-- sessions --
-- Who every process of the server is.
select pid, coalesce(nullif(application_name, ''), backend_type) as name from pg_stat_activity;

-- disk --
-- What all processes of the server have asked of the disk so far.
select coalesce(sum(reads) filter (where object <> 'wal'), 0)::bigint as table_reads,
       coalesce(sum(writes + extends) filter (where object <> 'wal'), 0)::bigint as table_writes,
       coalesce(sum(writes) filter (where object = 'wal'), 0)::bigint as wal_writes,
       coalesce(sum(fsyncs) filter (where object = 'wal'), 0)::bigint as wal_flushes
  from pg_stat_io;
