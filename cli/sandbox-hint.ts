import type { RunState } from '../domain/plan.js';
import type { Context } from './context.js';

/** What a person does at a provider, as the sandbox's stand-in for that person is told. */
const DOINGS: readonly (readonly [pattern: RegExp, command: (id: string) => string])[] = [
  [/Stripe customer (cus_\w+)/, (id) => `add-payment-method customer=${id}`],
  [/way to pay in the Cloudflare account ([0-9a-f]{32})/, (id) => `add-billing account=${id}`],
  [/consent to use the Cloudflare account ([0-9a-f]{32})/, (id) => `consent account=${id}`],
];

/** In the sandbox the exact next command plays the person at the provider; elsewhere the state is as it was. */
export function withSandboxHint(context: Context, state: RunState): RunState {
  const { waitsFor } = state;
  if (state.phase !== 'needs-input' || waitsFor === undefined) return state;
  if (context.config.providers !== 'sandbox') return state;
  for (const [pattern, command] of DOINGS) {
    const id = pattern.exec(waitsFor.what)?.[1];
    if (id !== undefined)
      return { ...state, waitsFor: { ...waitsFor, command: `countersign pretend ${command(id)}` } };
  }
  return state;
}
