-- The keys that make the log's records readable. In a schema of its own under another role, and to be backed up apart
-- from the log and for a short time only: a destroyed key in a backup is not destroyed.

create table data_key (
    kid          uuid primary key,
    owner        text not null,
    scope        text not null,
    secret       bytea check (length(secret) = 32),
    made_at      timestamptz not null default now(),
    destroyed_at timestamptz,
    check ((secret is null) = (destroyed_at is not null))
);
comment on table data_key is 'One key per topic owner and referral, or per owner and month (2026-11) of records that name
none. A destroyed key leaves its row, so that erased and lost can be told apart.';
create unique index data_key_current on data_key (owner, scope) where secret is not null;
create index data_key_scope on data_key (scope);

create function only_destroy() returns trigger language plpgsql as $$
begin
    if old.secret is null or new.secret is not null
       or (new.kid, new.owner, new.scope, new.made_at) is distinct from (old.kid, old.owner, old.scope, old.made_at) then
        raise exception 'a key can only be destroyed' using errcode = 'restrict_violation';
    end if;
    return new;
end $$;
create trigger only_destroy before update on data_key for each row execute function only_destroy();
alter table data_key enable always trigger only_destroy;

-- VACUUM (maintain) belongs to destroying: until then the old row version is still on disk.
grant select, insert, update (secret, destroyed_at), maintain on data_key to audit_keys_app;
