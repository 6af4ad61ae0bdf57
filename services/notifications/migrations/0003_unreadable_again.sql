-- What a newer version can read has its alerts and waits no longer.
grant delete on unreadable to notifications_app;
