/**
 * How often a provider may be asked, by all processes together, and whether it answers at all. The numbers keep below
 * the vendors' own: Stripe 25 a second; Cloudflare 1,200 in five minutes (600 at once and 2 a second never are more).
 */
export const calls = `
create table call_limits (
  provider text primary key check (provider in ('stripe', 'cloudflare')),
  per_second double precision not null check (per_second > 0),
  at_once double precision not null check (at_once >= 3),
  -- how many calls in a row that got no answer open the breaker, and the first wait until it is tried again
  breaks_after int not null check (breaks_after >= 1),
  cool_down_ms bigint not null check (cool_down_ms >= 100)
);
insert into call_limits values ('stripe', 15, 10, 5, 5000), ('cloudflare', 2, 600, 5, 5000);

-- One for each provider, and one for each agent there. Not logged: what is lost in a crash is full again, and to take
-- calls waits for no disk.
create unlogged table call_buckets (
  provider text not null references call_limits,
  agent text not null,
  left_over double precision not null,
  filled_at timestamptz not null,
  primary key (provider, agent)
);

create table breakers (
  provider text primary key references call_limits,
  failures int not null default 0,
  last_failure_at timestamptz,
  opened_at timestamptz,
  trips int not null default 0,
  probe_at timestamptz,
  probing boolean not null default false
);
insert into breakers (provider) values ('stripe'), ('cloudflare');
`;
