import { z } from 'zod';
import type { FaultRule } from '../core/faults.js';
import type { World } from '../core/world.js';
import { parseParams } from './params.js';
import { declined, missing } from './problem.js';
import type { Collections, StripeState } from './state.js';
import { seconds, stripeState } from './state.js';

/** One request being answered. Handlers are synchronous: what one does, no other sees half done. */
export class Call {
  readonly state: StripeState;
  /** Objects this request made, by id: what `lag` hides. */
  readonly made: string[] = [];
  /**
   * What happens right after the answer is fixed: a person who adds a card to each new
   * customer.
   */
  readonly afterwards: (() => void)[] = [];

  constructor(
    readonly world: World,
    readonly path: Readonly<Record<string, string>>,
    readonly key: string | undefined,
    readonly fault: FaultRule | undefined,
  ) {
    this.state = stripeState(world);
  }

  /** Now in seconds of the world's clock. */
  get now(): number {
    return seconds(this.world);
  }

  /** Whether the next payment of this request is declined, whatever the card. */
  get declines(): boolean {
    return this.fault?.fault === 'decline';
  }

  /** A fresh id of this kind: `cus_…`. */
  id(prefix: string): string {
    const id = this.world.id(`${prefix}_`);
    this.made.push(id);
    return id;
  }

  /** The id in the path. */
  get target(): string {
    return this.path['id'] ?? '';
  }

  /** The object of that id, hidden ones too: a write finds what a read does not show yet. */
  find<K extends keyof Collections>(
    collection: K,
    what: string,
    id = this.target,
    param = 'id',
  ): Collections[K][string] {
    const held: Collections[K] = this.state[collection];
    const found = held[id] as Collections[K][string] | undefined;
    if (found === undefined || !Object.hasOwn(held, id)) throw missing(what, id, param);
    return found;
  }

  /**
   * The object of that id as a read sees it. @throws StripeProblem 404, also while it is
   * hidden.
   */
  see<K extends keyof Collections>(
    collection: K,
    what: string,
    id = this.target,
  ): Collections[K][string] {
    if (!this.visible(id)) throw missing(what, id);
    return this.find(collection, what, id);
  }

  visible(id: string): boolean {
    return (this.state.hiddenUntil[id] ?? 0) <= this.world.now();
  }

  /** Ends a request that charges nothing under a `decline`. */
  declineHere(): void {
    if (this.declines) throw declined();
  }
}

/** One route: `run` reads what the form said, less `expand`, and does it. */
export interface Route {
  readonly method: 'GET' | 'POST' | 'DELETE';
  readonly path: string;
  run(call: Call, raw: Record<string, unknown>): object;
}

interface RouteParts<S extends z.ZodRawShape> {
  readonly params: S;
  /** Parameters that the real API has and the stand-in answers 501 to. */
  readonly notDone?: readonly string[];
  readonly run: (call: Call, params: z.output<z.ZodObject<S, z.core.$strict>>) => object;
}

/** A route whose unknown, missing and malformed parameters are refused as the API refuses them. */
export function route<S extends z.ZodRawShape>(
  method: Route['method'],
  path: string,
  { params, notDone = [], run }: RouteParts<S>,
): Route {
  const schema = z.strictObject(params);
  return { method, path, run: (call, raw) => run(call, parseParams(schema, raw, notDone)) };
}
