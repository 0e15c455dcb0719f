/** What a bank takes or sends back after everything was settled: read at the provider, booked by what differs. */
export const moneyBackSql = `
-- {disputeId, effectId, charge, status, withheldMinor, feeMinor}: as it stands at the provider now. Booked is the
-- difference to what was read before, so that it may be read twice and late. What is withheld gives no cap room: whether
-- it comes back is not decided. The fee is money spent, in full, whatever the caps say. True when something was new.
create function dispute_read(p jsonb) returns boolean language plpgsql volatile as $$
declare
  v effects;
  v_res reservations;
  v_old disputes;
  v_month text;
  v_withheld bigint;
  v_fee bigint;
begin
  perform 1 from runs r join effects e on e.run_id = r.run_id
    where e.effect_id = p->>'effectId' for no key update of r;
  select * into v from effects e where e.effect_id = p->>'effectId';
  select * into v_res from reservations r where r.run_id = v.run_id and r.step = v.step;
  if v_res.run_id is null then
    raise exception 'nothing was ever charged for effect %', p->>'effectId' using errcode = 'CS003';
  end if;
  v_month := utc_month(countersign_now());
  insert into disputes (dispute_id, effect_id, charge, status, withheld_minor, fee_minor,
      first_read_at, last_changed_at)
    values (p->>'disputeId', v.effect_id, p->>'charge', '', 0, 0, countersign_now(), countersign_now())
    on conflict do nothing;
  select * into v_old from disputes d where d.dispute_id = p->>'disputeId' for update;
  v_withheld := (p->>'withheldMinor')::bigint
    - /* guard:dispute-once else 0 */ v_old.withheld_minor /* end */;
  v_fee := (p->>'feeMinor')::bigint - /* guard:dispute-once else 0 */ v_old.fee_minor /* end */;
  if v_withheld = 0 and v_fee = 0 and v_old.status = p->>'status' then return false; end if;
  update disputes d
     set status = p->>'status', withheld_minor = (p->>'withheldMinor')::bigint,
         fee_minor = (p->>'feeMinor')::bigint, last_changed_at = countersign_now()
   where d.dispute_id = v_old.dispute_id;
  if v_withheld <> 0 then
    perform post(v.run_id, v.step, 'dispute', v_month, v_res.currency, v_withheld, v_res.scopes);
  end if;
  if v_fee <> 0 then
    perform balances_lock(v_res.scopes, array[v_month], v_res.currency);
    update balances b set captured_minor = b.captured_minor + v_fee
     where b.scope = any(v_res.scopes) and b.month = v_month and b.currency = v_res.currency;
    perform post(v.run_id, v.step, 'dispute-fee', v_month, v_res.currency, v_fee, v_res.scopes);
  end if;
  perform log_append('dispute', v.run_id, p || jsonb_build_object('effect', v.effect_id));
  return true;
end $$;

-- {refundId, effectId, amountMinor}: a refund that was booked as given back, and that the bank has sent back since. Takes
-- the room back that it had given, says so in the residue, and calls a person. True when it was new; false also while
-- the reversal has not closed its row, for then nothing is booked yet.
create function refund_failed(p jsonb) returns boolean language plpgsql volatile as $$
declare
  v effects;
  v_res reservations;
  v_amount bigint := (p->>'amountMinor')::bigint;
  v_words text;
begin
  perform 1 from runs r join effects e on e.run_id = r.run_id
    where e.effect_id = p->>'effectId' for no key update of r;
  select * into v from effects e where e.effect_id = p->>'effectId';
  if v.effect_id is null or v.state <> 'closed' or v.refunded_minor < v_amount then
    return false;
  end if;
  insert into failed_refunds (refund_id, effect_id, amount_minor, recorded_at)
    values (p->>'refundId', v.effect_id, v_amount, countersign_now()) on conflict do nothing;
  if not found then return false; end if;
  select * into v_res from reservations r where r.run_id = v.run_id and r.step = v.step;
  if exists (select 1 from postings t where t.run_id = v.run_id and t.step = v.step
       and t.kind = 'refund' and utc_month(t.posted_at) = v_res.month) then
    perform balances_lock(v_res.scopes, array[v_res.month], v_res.currency);
    update balances b set captured_minor = b.captured_minor
        + /* guard:refund-room-back else 0 */ v_amount /* end */
     where b.scope = any(v_res.scopes) and b.month = v_res.month and b.currency = v_res.currency;
  end if;
  update reservations r set refunded_minor = r.refunded_minor - v_amount
   where r.run_id = v.run_id and r.step = v.step;
  v_words := format('the refund %s of %s %s failed at the bank: the customer has not got it', p->>'refundId',
    to_char(v_amount / 100.0, 'FM999999990.00'), v_res.currency);
  update effects e
     set refunded_minor = e.refunded_minor - v_amount,
         residue_minor = coalesce(e.residue_minor, 0) + v_amount,
         residue_text = concat_ws('; ', v_words, nullif(e.residue_text, ''))
   where e.effect_id = v.effect_id;
  perform post(v.run_id, v.step, 'refund-failed', v_res.month, v_res.currency, v_amount, v_res.scopes);
  perform open_case(v.run_id, v.effect_id, 'refund-failed', v_words);
  perform log_append('refund-failed', v.run_id, p || jsonb_build_object('effect', v.effect_id));
  return true;
end $$;
`;
