-- An inbox is named by a range of one and is what is sorted by first: with an equality the planner may take the primary
-- key for its order, or the whole table for its limit, and pass by everybody else's alerts.

-- inbox --
-- A page of an institution's inbox, newest first, behind the position $2. Null filters mean any.
select position, alert_id, fact_id, recipient, channel, kind, referral, urgency, actor, occurred_at, reason, detail, verb,
       event_id, record_offset, planned_at, status, attempts, opened_at
  from alert
 where recipient >= $1 and recipient <= $1
   and channel = 'inbox'
   and ($2::bigint is null or position < $2)
   and ($3::boolean is null or (opened_at is null) = $3)
   and ($5::text is null or urgency = $5)
   and ($6::text is null or kind = $6)
 order by recipient, position desc
 limit $4;

-- inbox_since --
-- The alerts of an inbox after the position $2, oldest first.
select position, alert_id, fact_id, recipient, channel, kind, referral, urgency, actor, occurred_at, reason, detail, verb,
       event_id, record_offset, planned_at, status, attempts, opened_at
  from alert
 where recipient >= $1 and recipient <= $1
   and channel = 'inbox'
   and position > $2
 order by recipient desc, position
 limit $3;

-- marks --
-- What tells whether these inboxes changed: the newest alert, and how many are unread, counted up to $2.
select watched.recipient,
       coalesce((select position
                   from alert as a
                  where a.recipient >= watched.recipient and a.recipient <= watched.recipient and channel = 'inbox'
                  order by a.recipient, position desc
                  limit 1), 0) as newest,
       (select count(*)
          from (select from alert as a
                 where a.recipient >= watched.recipient and a.recipient <= watched.recipient
                   and channel = 'inbox' and opened_at is null
                 order by a.recipient, position desc
                 limit $2) as counted) as unread
  from unnest($1::text[]) as watched (recipient);

-- unread_by_institution --
-- Of these institutions those with unread alerts: the first $2 of each are looked at, the oldest are among them.
select known.recipient, first.*
  from unnest($1::text[]) as known (recipient)
 cross join lateral (
       select count(*) as unread, min(occurred_at) as oldest, bool_or(urgency in ('U0', 'U1')) as urgent
         from (select occurred_at, urgency
                 from alert as a
                where a.recipient >= known.recipient and a.recipient <= known.recipient
                  and channel = 'inbox' and opened_at is null
                order by a.recipient desc, position
                limit $2) as looked_at) as first
 where unread > 0;

-- unread --
-- Counted up to $2.
select count(*)
  from (select from alert
         where recipient >= $1 and recipient <= $1 and channel = 'inbox' and opened_at is null
         order by recipient, position desc
         limit $2) as counted;

-- open --
update alert
   set status = 'opened', opened_at = $3
 where alert_id = $2 and recipient = $1 and channel = 'inbox' and opened_at is null
returning alert_id;

-- open_all --
-- At most $6 of the unread alerts up to the position $2, the oldest first. Null filters mean any. Locked in their order:
-- whoever opens the same ones meanwhile waits, and does not hold what is still to come.
with those as (
    select alert_id
      from alert
     where recipient >= $1 and recipient <= $1 and channel = 'inbox' and opened_at is null and position <= $2
       and ($4::text is null or urgency = $4)
       and ($5::text is null or kind = $5)
     order by recipient desc, position
     limit $6
       for update
)
update alert
   set status = 'opened', opened_at = $3
 where alert_id in (select alert_id from those)
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
