-- The service works with the queue and changes nothing about it.
grant select, insert, update, delete on pgqueuer, pgqueuer_log to notifications_app;
grant usage on sequence pgqueuer_id_seq, pgqueuer_log_id_seq to notifications_app;
