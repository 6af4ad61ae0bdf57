-- current --
select kid, owner, scope, secret from data_key
 where scope = any($1::text[]) and owner = any($2::text[]) and secret is not null;

-- make --
insert into data_key (kid, owner, scope, secret)
select * from unnest($1::uuid[], $2::text[], $3::text[], $4::bytea[])
    on conflict (owner, scope) where secret is not null do nothing
returning kid, owner, scope, secret;

-- by_id --
select kid, secret from data_key where kid = any($1::uuid[]);

-- dead --
-- Row versions that the vacuum a moment ago had to leave, because some session may still see them.
select n_dead_tup from pg_stat_all_tables where relid = 'data_key'::regclass and n_dead_tup > 0;

-- destroy --
-- All keys of a referral, whoever owns the topics: then nobody can read any record about it again.
update data_key set secret = null, destroyed_at = now() where scope = $1 and secret is not null;
