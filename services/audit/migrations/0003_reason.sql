-- Why the log before this one was closed: whether what is kept of it is the beginning of what was published depends on it.
-- Null where it was closed before this was kept.

alter table predecessor add column reason text check (reason in ('shorter', 'key-lost', 'changed'));
comment on column predecessor.reason is 'shorter: its newest part is missing; key-lost: it fits together, but its key is lost;
changed: it does not fit together, or not with what was published.';
