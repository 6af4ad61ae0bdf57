-- last_alert --
select coalesce(max(position), 0) from notifications.alert;

-- alerts_after --
-- New alerts with the declaration that each is about.
select a.position, f.event_id
  from notifications.alert a
  join referrals.fact f using (fact_id)
 where a.position > $1 and f.event_id is not null
 order by a.position;
