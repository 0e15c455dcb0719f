import { randomUUID } from 'node:crypto';
import { z } from 'zod';
import type { GateWord } from '../../domain/break-glass-documents.js';
import type { Request } from '../../domain/request.js';
import type { RunState } from '../../domain/plan.js';
import type { PackedSite } from '../bundle.js';
import { askJson } from './ask-json.js';
import { HttpUnreachable, ServerRefused } from './errors.js';

const problemSchema = z.object({ code: z.string(), detail: z.string() });
const meSchema = z.object({
  kind: z.enum(['agent', 'person', 'service']),
  id: z.string(),
  instance: z.string(),
  signedInAt: z.string().optional(),
});
const runsSchema = z.object({
  runs: z.array(
    z.object({
      runId: z.string(),
      domain: z.string(),
      environment: z.string(),
      agent: z.string(),
      state: z.string(),
      admittedAt: z.string(),
    }),
  ),
});
const gateSchema = z.object({
  gateId: z.string(),
  document: z.string(),
  card: z.string(),
  expiresInMs: z.number(),
});
const stateSchema = z.looseObject({
  runId: z.string(),
  phase: z.string(),
  steps: z.array(z.unknown()),
});
const stopSchema = z.object({
  scope: z.string(),
  fencedAt: z.string(),
  drainedAt: z.string().nullable(),
  onTheWire: z.number(),
  untold: z.array(z.string()),
});
const decidedSchema = z.object({ gateState: z.string(), approver: z.string().optional() });
const startedSchema = z.object({ runId: z.string(), url: z.string() });

export type Me = z.infer<typeof meSchema>;
export type ServerRun = z.infer<typeof runsSchema>['runs'][number];
export type ServerGate = z.infer<typeof gateSchema>;
export type Stopped = z.infer<typeof stopSchema>;
export type Decided = z.infer<typeof decidedSchema>;

/** A reject without a signature, which a signed-in person may say. */
export interface SpokenReject {
  readonly gateId: string;
  readonly actionDigest: string;
  readonly decision: 'reject';
  readonly reason: string;
}

/** The routes of a Countersign server, for one caller. All throw ServerRefused and HttpUnreachable. */
export class ServerApi {
  readonly #token: string;
  constructor(
    /** Without a slash at its end. */
    readonly url: string,
    token: string,
  ) {
    this.#token = token;
  }

  me(): Promise<Me> {
    return this.#ask(meSchema, 'GET', 'me');
  }

  async runs(): Promise<readonly ServerRun[]> {
    return (await this.#ask(runsSchema, 'GET', 'runs')).runs;
  }

  /** Where a run stands, by the record. */
  async run(runId: string): Promise<RunState> {
    // The server's own report in its own shape: what it shows is shown, nothing is decided by it.
    return (await this.#ask(stateSchema, 'GET', `runs/${runId}`)) as unknown as RunState;
  }

  /** The open gate: the exact bytes, which whoever signs hashes for themselves. */
  gate(runId: string): Promise<ServerGate> {
    return this.#ask(gateSchema, 'GET', `runs/${runId}/gate`);
  }

  decide(runId: string, word: GateWord | SpokenReject): Promise<Decided> {
    return this.#ask(decidedSchema, 'POST', `runs/${runId}/decisions`, word);
  }

  stop(
    scope: string,
    order: { readonly reason: string; readonly mode: 'hold' | 'unwind' },
  ): Promise<Stopped> {
    const [kind, run = ''] = scope.split(/\/(.*)/s);
    return kind === 'run'
      ? this.#ask(stopSchema, 'POST', `runs/${run}/stop`, order)
      : this.#ask(stopSchema, 'POST', 'stops', { ...order, scope });
  }

  async storeSite({ files }: PackedSite): Promise<void> {
    const parts = files.map(({ bytes, path }) => ({
      path,
      content: Buffer.from(bytes).toString('base64'),
    }));
    await this.#ask(z.object({ bundle: z.string() }), 'POST', 'bundles', { files: parts });
  }

  start(of: { readonly runId?: string; readonly request: Request }): Promise<{ runId: string }> {
    return this.#ask(startedSchema, 'POST', 'runs', of);
  }

  async #ask<T>(schema: z.ZodType<T>, method: string, path: string, body?: unknown): Promise<T> {
    const answer = await askJson(`${this.url}/api/v1/${path}`, {
      method,
      headers: {
        authorization: `Bearer ${this.#token}`,
        ...(method === 'GET'
          ? {}
          : { 'content-type': 'application/json', 'idempotency-key': randomUUID() }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const { json, status } = answer;
    if (status >= 400) {
      const problem = problemSchema.safeParse(json);
      if (!problem.success) throw new HttpUnreachable(this.url, `status ${status}`);
      throw new ServerRefused(status, problem.data.code, problem.data.detail);
    }
    const said = schema.safeParse(json);
    if (!said.success) throw new HttpUnreachable(this.url, 'its answer has another shape');
    return said.data;
  }
}
