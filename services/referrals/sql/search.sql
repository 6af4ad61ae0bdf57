-- referrals --
-- A page of referrals of any institution, newest first. Null filters mean any; $1 and $2 are not used here.
select referral, version, state, sender, recipient, need, service, urgency, opened_at, changed_at
  from referral
 where version > 0
   and $1::text is null and $2::text is null
   and ($3::text[] is null or state = any($3))
   and ($4::text is null or urgency = $4)
   and ($5::uuid is null or need = $5)
   and ($6::uuid is null or referral between $6 and $7::uuid or need between $6 and $7)
   and ($8::timestamptz is null or changed_at < $8)
   and ($9::timestamptz is null or (opened_at, referral) < ($9, $10::uuid))
 order by opened_at desc, referral desc
 limit $11;

-- referrals_of --
-- The same of one institution, as sender or recipient: two ordered scans, because one with OR would sort them all.
select *
  from ((select referral, version, state, sender, recipient, need, service, urgency, opened_at, changed_at
           from referral
          where sender = $1
            and ($2::text is null or $2 = 'sent')
            and ($3::text[] is null or state = any($3))
            and ($4::text is null or urgency = $4)
            and ($5::uuid is null or need = $5)
            and ($6::uuid is null or referral between $6 and $7::uuid or need between $6 and $7)
            and ($8::timestamptz is null or changed_at < $8)
            and ($9::timestamptz is null or (opened_at, referral) < ($9, $10::uuid))
          order by opened_at desc, referral desc
          limit $11)
        union all
        (select referral, version, state, sender, recipient, need, service, urgency, opened_at, changed_at
           from referral
          where recipient = $1
            and ($2::text is null or $2 = 'received')
            and ($3::text[] is null or state = any($3))
            and ($4::text is null or urgency = $4)
            and ($5::uuid is null or need = $5)
            and ($6::uuid is null or referral between $6 and $7::uuid or need between $6 and $7)
            and ($8::timestamptz is null or changed_at < $8)
            and ($9::timestamptz is null or (opened_at, referral) < ($9, $10::uuid))
          order by opened_at desc, referral desc
          limit $11)) as parts
 order by opened_at desc, referral desc
 limit $11;

-- counts --
-- How many there are of each state under the same filters but the state's.
select state, count(*) as referrals
  from referral
 where version > 0
   and ($1::text is null or sender = $1 and $2 is distinct from 'received' or recipient = $1 and $2 is distinct from 'sent')
   and ($2::text is null or $1 is not null)
   and ($3::text[] is null or true)
   and ($4::text is null or urgency = $4)
   and ($5::uuid is null or need = $5)
   and ($6::uuid is null or referral between $6 and $7::uuid or need between $6 and $7)
   and ($8::timestamptz is null or changed_at < $8)
 group by state;
