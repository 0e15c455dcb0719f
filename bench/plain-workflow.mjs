// The saga without Countersign: four activities in a row, and a signal for the approval.
import { condition, defineSignal, proxyActivities, setHandler } from '@temporalio/workflow';

const act = proxyActivities({ startToCloseTimeout: '60s', retry: { maximumAttempts: 3 } });
export const approved = defineSignal('approved');

/** Waits for its signal if it is asked to, then does the four things. */
export async function plain({ name, waits }) {
  let go = !waits;
  setHandler(approved, () => {
    go = true;
  });
  await condition(() => go);
  const customer = await act.makeCustomer(name);
  await act.makeSubscription(customer);
  const account = await act.makeAccount(name);
  await act.makeDomain({ account, name });
}
