/**
 * What is still to be told, and to whom. A notice enters the queue in the very statement that writes it, so that no
 * cursor can pass it by; one delivery for each of the policy's targets follows, and stays until it was taken or given up.
 */
export const deliveries = `
create table notice_queue (
  notice_id bigint primary key references notices
);
insert into notice_queue (notice_id) select notice_id from notices;
create function notice_queued() returns trigger language plpgsql as $$
begin
  insert into notice_queue (notice_id) values (new.notice_id);
  return null;
end $$;
create trigger notices_queue after insert on notices for each row execute function notice_queued();

create table deliveries (
  delivery_id bigint generated always as identity primary key,
  notice_id bigint not null references notices,
  target text not null,
  run_id text,
  status text not null default 'due' check (status in ('due', 'sent', 'failed', 'dropped')),
  attempts int not null default 0,
  next_at timestamptz not null,
  sent_at timestamptz,
  answer text,
  unique (notice_id, target)
);
create index deliveries_due on deliveries (next_at) where status = 'due';
`;
