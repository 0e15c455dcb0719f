import { z } from 'zod';
import type { WorldCredentials } from './core/credentials.js';
import type { ArmedFault, FaultRuleInput } from './core/faults.js';
import type { Truth } from './core/truth.js';

export type { FaultRuleInput, Truth, WorldCredentials };

const problemSchema = z.looseObject({ detail: z.string(), member: z.string().optional() });

/** What a person would do, by the name of the action. */
export type PersonBody = { readonly do: string } & Readonly<Record<string, unknown>>;

/** Speaks to the control port: for tests, the demo and the command line. Times in ms. */
export class SandboxControl {
  readonly #url: string;
  readonly #token: string;

  constructor({ controlUrl, controlToken }: { controlUrl: string; controlToken: string }) {
    this.#url = controlUrl;
    this.#token = controlToken;
  }

  /** What really exists in a world. */
  truth(world = 'main'): Promise<Truth> {
    return this.#call<Truth>('GET', 'truth', world);
  }

  /** Arms faults; an empty list clears the plan. Answers what is armed. */
  async faults(world: string, rules: readonly FaultRuleInput[]): Promise<readonly ArmedFault[]> {
    return (await this.#call<{ armed: ArmedFault[] }>('POST', 'faults', world, rules)).armed;
  }

  /** Moves a world's clock forward. Answers its new now. */
  async clock(world: string, advanceMs: number): Promise<number> {
    return (await this.#call<{ now: number }>('POST', 'clock', world, { advanceMs })).now;
  }

  /** Does what a person would do at a provider. Answers what the stand-in says was done. */
  async people(world: string, body: PersonBody): Promise<unknown> {
    return (await this.#call<{ done: unknown }>('POST', 'people', world, body)).done;
  }

  /** Empties a world. */
  async reset(world: string): Promise<void> {
    await this.#call('POST', 'reset', world);
  }

  /** The credentials of a world, by provider and role. */
  credentials(world: string): Promise<WorldCredentials> {
    return this.#call<WorldCredentials>('POST', 'credentials', world);
  }

  /** Answers with a value that differs from start to start: a port that is merely open does not. */
  health(): Promise<{ status: 'ok'; start: string; worlds: string[] }> {
    return this.#call('GET', 'health', 'main');
  }

  async #call<T>(method: string, route: string, world: string, body?: unknown): Promise<T> {
    const url = `${this.#url}/_sandbox/${route}?world=${encodeURIComponent(world)}`;
    const answer = await fetch(url, {
      method,
      // A pooled socket that the server closed meanwhile would look like a failed call.
      headers: { authorization: `Bearer ${this.#token}`, connection: 'close' },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const json: unknown = await answer.json();
    if (answer.ok) return json as T;
    const problem = problemSchema.safeParse(json);
    const said = problem.success ? problem.data.detail : `status ${answer.status}`;
    throw new Error(`sandbox control ${method} ${route}: ${said}`);
  }
}
