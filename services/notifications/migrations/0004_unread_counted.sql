-- What the pages count of unread alerts is read from the index alone, and the newest opened ones are found without
-- passing by all that nobody ever opened.
create index alert_unread_counted on alert (recipient, position desc) include (occurred_at, urgency)
    where channel = 'inbox' and opened_at is null;
drop index alert_unread;
create index alert_opened on alert (recipient, position desc) where channel = 'inbox' and opened_at is not null;
