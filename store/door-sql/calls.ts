/**
 * Which calls may leave for a provider now. Everybody takes from the account's bucket and leaves a third of it to
 * reversals and their read-back; an agent takes from one of its own as well, half of what the account leaves. Real time,
 * as the vendors count it. Nothing here says what a change may do: that is the door's.
 */
export const callsSql = `
-- Fills a bucket up to now and locks it; answers what is in it.
create function bucket_filled(p_provider text, p_agent text, p_rate double precision,
  p_most double precision) returns double precision language plpgsql volatile as $$
declare
  v_left double precision;
begin
  insert into call_buckets as b (provider, agent, left_over, filled_at)
    values (p_provider, p_agent, p_most, clock_timestamp())
    on conflict (provider, agent) do update
      set left_over = least(p_most, b.left_over
            + p_rate * greatest(0, extract(epoch from clock_timestamp() - b.filled_at))),
          filled_at = greatest(b.filled_at, clock_timestamp())
    returning b.left_over into v_left;
  return v_left;
end $$;

-- Takes up to p_want calls. None: why, and when to ask again.
create function calls_take(p_provider text, p_agent text, p_reversal boolean, p_want int,
  p_counted boolean default true)
returns table (granted int, wait_ms bigint, why text) language plpgsql volatile as $$
declare
  l call_limits;
  v_breaker breakers;
  v_floor double precision;
  v_account double precision;
  v_agent double precision;
  v_take int;
begin
  select * into strict l from call_limits x where x.provider = p_provider;
  select * into v_breaker from breakers x where x.provider = p_provider;
  if /* guard:breaker else false */ v_breaker.opened_at is not null /* end */ then
    -- Half open: one call of all processes tries, and the next one only after another wait.
    update breakers x set probing = true, probe_at = clock_timestamp() + breaker_wait(l, x.trips)
     where x.provider = p_provider and x.opened_at is not null and x.probe_at <= clock_timestamp();
    if found then return query select 1, 0::bigint, 'trial'; return; end if;
    return query select 0, greatest(100, to_ms(v_breaker.probe_at - clock_timestamp())), 'breaker';
    return;
  end if;
  -- Stand-ins have no rate to keep; that one of them is away matters all the same.
  if not p_counted then return query select p_want, 0::bigint, null::text; return; end if;
  v_floor := case when p_reversal then 0 else /* guard:reversal-share else 0 */ l.at_once / 3 /* end */ end;
  -- In this order always: the account's row, then the agent's.
  v_account := bucket_filled(p_provider, '', l.per_second, l.at_once) - v_floor;
  v_agent := case when p_reversal or p_agent = '' then v_account
    else /* guard:agent-share else v_account */
      bucket_filled(p_provider, p_agent, l.per_second / 3, l.at_once / 3) /* end */ end;
  v_take := least(p_want, floor(least(v_account, v_agent)));
  if v_take < 1 then
    return query select 0, greatest(20, ceil(1000 * greatest(
      (1 - v_account) / l.per_second, (1 - v_agent) * 3 / l.per_second)))::bigint, 'rate';
    return;
  end if;
  update call_buckets b set left_over = b.left_over - v_take
   where b.provider = p_provider and (b.agent = '' or (not p_reversal and b.agent = p_agent));
  return query select v_take, 0::bigint, null::text;
end $$;

-- The wait doubles with each trial that failed, up to five minutes.
create function breaker_wait(p_limit call_limits, p_trips int) returns interval
language sql immutable as $$
  select from_ms(least(300000, p_limit.cool_down_ms * (2 ^ least(p_trips, 10))::bigint))
$$;

-- What a call met: 'answer', 'none' (nothing came, or a 5xx), 'limited' (429: the vendor's count is ahead of ours).
create function calls_note(p_provider text, p_met text) returns void language plpgsql volatile as $$
declare
  l call_limits;
  v breakers;
begin
  select * into strict l from call_limits x where x.provider = p_provider;
  select * into v from breakers x where x.provider = p_provider for update;
  if p_met = 'limited' then
    update call_buckets b set left_over = least(b.left_over, 0)
     where b.provider = p_provider and b.agent = '';
  end if;
  if p_met <> 'none' then
    update breakers x
       set failures = 0, trips = 0, opened_at = null, probe_at = null, probing = false
     where x.provider = p_provider;
    if v.opened_at is not null then
      perform notice_add('breaker-closed', p_provider || '/' || v.opened_at::text || '/closed', null,
        jsonb_build_object('provider', p_provider, 'openedAt', v.opened_at));
    end if;
    return;
  end if;
  -- Failures that lie apart are no outage.
  update breakers x
     set failures = 1 + case when v.last_failure_at > clock_timestamp() - interval '1 minute'
           then v.failures else 0 end,
         last_failure_at = clock_timestamp()
   where x.provider = p_provider returning * into v;
  if v.opened_at is not null then
    -- Only the trial says that it is still down: what was under way when it opened is older.
    update breakers x set trips = x.trips + 1, probing = false,
           probe_at = clock_timestamp() + breaker_wait(l, x.trips + 1)
     where x.provider = p_provider and x.probing;
  elsif v.failures >= l.breaks_after then
    update breakers x set opened_at = clock_timestamp(), trips = 0,
           probe_at = clock_timestamp() + breaker_wait(l, 0)
     where x.provider = p_provider returning * into v;
    perform notice_add('breaker-open', p_provider || '/' || v.opened_at::text, null,
      jsonb_build_object('provider', p_provider, 'openedAt', v.opened_at));
  end if;
end $$;
`;
