import type { LayerName, StandingLayers, StopRecord } from './door-contract.js';

/** One layer of a stop, as it is told: by when it was confirmed, or that it is not. */
export interface Layer {
  readonly layer: LayerName;
  /** When it was seen to hold; undefined: UNCONFIRMED. */
  readonly confirmedAt: string | undefined;
  readonly detail: string;
}

/** What became of the runs in the scope: told by whoever can reach them. */
export interface RuntimeSeen {
  /** When all of them were seen to unwind, to hold still or to have ended. */
  readonly at: string | undefined;
  readonly runs: number;
  /** Runs that nobody has seen to obey yet. */
  readonly silent: number;
}

/** The four layers of a stop. Each is believed by what reads back, never because it was asked for. */
export function layersOf(
  standing: StandingLayers | undefined,
  record: StopRecord,
  runtime: RuntimeSeen,
): readonly Layer[] {
  const fenced = standing?.fencedAt;
  const { drainedAt, onTheWire } = record;
  const tokens = standing?.tokens ?? 0;
  return [
    {
      layer: 'gateway',
      confirmedAt: fenced === undefined ? undefined : drainedAt,
      detail:
        fenced === undefined
          ? 'no fence stands over the scope'
          : `fenced ${fenced}, ${drainedAt === undefined ? `${onTheWire.length} request(s) on the wire` : `drained ${drainedAt}`}`,
    },
    {
      layer: 'runtime',
      confirmedAt: runtime.silent === 0 ? runtime.at : undefined,
      detail: `${runtime.runs - runtime.silent} of ${runtime.runs} run(s) unwind, hold still or have ended`,
    },
    {
      layer: 'identity',
      confirmedAt: tokens === 0 ? standing?.identityAt : undefined,
      detail:
        standing?.identityAt === undefined
          ? 'no agent is suspended'
          : `${standing.agents} agent(s) suspended, ${tokens} token(s) not yet revoked`,
    },
    paymentOf(standing),
  ];
}

/** The budget; and the subscriptions, where somebody asked for that. */
function paymentOf(standing: StandingLayers | undefined): Layer {
  const layer = 'payment';
  if (standing?.paymentAt === undefined)
    return { layer, confirmedAt: undefined, detail: 'caps are as they were' };
  const { paymentAt, pausedAt, pausesAt, subscriptions, unpaused } = standing;
  const budget = 'budget 0: nothing is reserved or drawn under it';
  if (pausesAt === undefined) return { layer, confirmedAt: paymentAt, detail: budget };
  const last = [paymentAt, pausesAt, pausedAt ?? ''].sort().at(-1);
  return {
    layer,
    // guard: paused is what was read at the provider, never what was asked for.
    confirmedAt: unpaused === 0 ? last : undefined,
    detail: `${budget}; ${subscriptions - unpaused} of ${subscriptions} subscription(s) paused`,
  };
}

export const isConfirmed = (layers: readonly Layer[]): boolean =>
  layers.every(({ confirmedAt }) => confirmedAt !== undefined);
