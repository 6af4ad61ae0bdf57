-- inbox --
-- A page of an institution's inbox, newest first, behind the position $2. Null filters mean any.
select position, alert_id, fact_id, recipient, channel, kind, referral, urgency, actor, occurred_at, reason, detail, verb,
       event_id, record_offset, planned_at, status, attempts, opened_at
  from alert
 where recipient = $1
   and channel = 'inbox'
   and ($2::bigint is null or position < $2)
   and ($3::boolean is null or (opened_at is null) = $3)
   and ($5::text is null or urgency = $5)
   and ($6::text is null or kind = $6)
 order by position desc
 limit $4;

-- inbox_since --
-- The alerts of an inbox after the position $2, oldest first.
select position, alert_id, fact_id, recipient, channel, kind, referral, urgency, actor, occurred_at, reason, detail, verb,
       event_id, record_offset, planned_at, status, attempts, opened_at
  from alert
 where recipient = $1
   and channel = 'inbox'
   and position > $2
 order by position
 limit $3;

-- marks --
-- What tells whether these inboxes changed: the newest alert, and how many are unread.
select watched.recipient,
       coalesce((select max(position) from alert as a where a.recipient = watched.recipient and channel = 'inbox'), 0)
           as newest,
       (select count(*) from alert as a
         where a.recipient = watched.recipient and channel = 'inbox' and opened_at is null) as unread
  from unnest($1::text[]) as watched (recipient);

-- unread_by_institution --
select recipient, count(*) as unread, min(occurred_at) as oldest, bool_or(urgency in ('U0', 'U1')) as urgent
  from alert
 where channel = 'inbox' and opened_at is null
 group by recipient;

-- unread --
select count(*) from alert where recipient = $1 and channel = 'inbox' and opened_at is null;

-- open --
update alert
   set status = 'opened', opened_at = $3
 where alert_id = $2 and recipient = $1 and channel = 'inbox' and opened_at is null
returning alert_id;

-- opened_at --
select opened_at from alert where alert_id = $2 and recipient = $1 and channel = 'inbox';

-- alerts --
-- A page of the alerts about a referral or of a fact, behind the position $3, in the order in which they were planned.
select position, alert_id, fact_id, recipient, channel, kind, referral, urgency, actor, occurred_at, reason, detail, verb,
       event_id, record_offset, planned_at, status, attempts, opened_at
  from alert
 where ($1::uuid is null or referral = $1)
   and ($2::uuid is null or fact_id = $2)
   and position > $3
 order by position
 limit $4;

-- receipts --
select alert_id, status, attempt, code, problem, at
  from receipt
 where alert_id = any($1::uuid[])
 order by position;

-- alert_counts --
select channel, status, count(*) as alerts from alert group by channel, status;

-- receipt_counts --
select status, count(*) as receipts from receipt group by status;

-- waiting --
-- What is not finished: jobs in the queue, receipts not published yet, records that could not be read.
select (select count(*) from pgqueuer.pgqueuer) as jobs,
       (select coalesce(max(position), 0) from receipt) - (select position from relay_cursor) as unpublished,
       (select count(*) from unreadable) as unreadable;
