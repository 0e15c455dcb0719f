/**
 * What providers call out to us, one row for each event for ever: the second delivery of an event finds the first. A row
 * is a wake-up and no fact: whoever handles it reads the object at the provider and then sets `handled_at`.
 */
export const webhookEvents = `
create table webhook_events (
  event_id text primary key check (event_id ~ '^evt_[A-Za-z0-9_]{1,200}$'),
  provider text not null check (provider in ('stripe')),
  type text not null check (type ~ '^[a-z0-9_.]{1,100}$'),
  object_id text not null check (object_id ~ '^[A-Za-z0-9_]{1,255}$'),
  received_at timestamptz not null default countersign_now(),
  handled_at timestamptz
);
create index webhook_events_unhandled on webhook_events (received_at) where handled_at is null;

-- an event is written once; only that it was handled may be added, once
create function webhook_event_only_handled() returns trigger language plpgsql as $$
begin
  if tg_op = 'UPDATE' and old.handled_at is null and new.handled_at is not null
     and (new.event_id, new.provider, new.type, new.object_id, new.received_at)
       = (old.event_id, old.provider, old.type, old.object_id, old.received_at) then
    return new;
  end if;
  raise exception 'a webhook event is written once and handled once' using errcode = 'CS010';
end $$;
create trigger webhook_events_rows before update or delete on webhook_events
  for each row execute function webhook_event_only_handled();
`;
