import { sql } from 'kysely';
import { advanceClock } from '../../store/clock.js';
import { reservePlan } from '../../store/ledger.js';
import type { EffectId, GateId } from '../../domain/ids.js';
import type { EffectStep } from '../../domain/steps.js';
import type { AuthorizeAsk } from '../../gateway/door-contract.js';
import type { Sender } from './sender.js';
import {
  askFor,
  effectOf,
  seedPlan,
  seedRun,
  type Scratch,
  type SeededRun,
  type SeededStep,
} from './seed.js';

/** The send window is 50 s, the settling time 100 s; wire and lag are a tick each at most. */
export const TICK_MS = 45_000;
export const NIGHT_MS = 8 * 3_600_000;
const KEY_KEPT_MS = 24 * 3_600_000;
const CAP_MINOR = 100;

export interface WorldOptions {
  readonly steps: readonly EffectStep[];
  /** Steps whose provider keeps idempotency keys. */
  readonly keyed: readonly EffectStep[];
  readonly pivot?: EffectStep;
  /** One cap of 100 and a first step that costs all of it; the month turns after so many ticks. */
  readonly monthTurnsAfterTicks?: number;
  /** Out only to see what happens without: the sender's own check in the tick of sending. */
  readonly deadlineCheck?: boolean;
}

export type Outcome = 'ok' | '402' | '500' | '500made' | 'refused';
export type Answer = { readonly kind: Outcome | '500again'; readonly object?: string };

export interface Request {
  readonly effectId: EffectId;
  readonly step: EffectStep;
  readonly attempt: number;
  readonly key: string;
  readonly digest: string;
  readonly month: string;
  readonly sender: Sender;
  readonly sentAt: number;
}

interface Thing {
  readonly id: string;
  readonly madeAt: number;
  alive: boolean;
}

/**
 * The outside world of one run, in memory, with the semantics of the TLA+ model: a provider with or without
 * keys, a wire that delays and loses, reads that lag or are stale; and the ghosts that the invariants need.
 * The control database and the door are the real ones.
 */
export class World {
  readonly violations = new Set<string>();
  readonly trace: string[] = [];
  readonly ends = new Set<string>();
  readonly wire: Request[] = [];
  readonly things = new Map<EffectStep, Thing[]>();
  readonly real = new Map<string, number>();
  readonly others = new Map<string, number>();
  t = 0;
  stale = false;
  fenced = false;
  version = 1;
  grantLive = true;
  private readonly keys = new Map<string, { answer: Answer; digest: string; at: number }>();
  private made = 0;

  private constructor(
    readonly scratch: Scratch,
    readonly run: SeededRun,
    private readonly other: SeededRun,
    readonly options: WorldOptions,
    public gateId: GateId,
  ) {}

  static async create(scratch: Scratch, options: WorldOptions): Promise<World> {
    const money = options.monthTurnsAfterTicks;
    const steps: SeededStep[] = options.steps.map((step, index) => ({
      step,
      provider: step === 'register-domain' ? 'cloudflare' : 'stripe',
      costMinor: money !== undefined && index === 0 ? CAP_MINOR : 0,
    }));
    if (money !== undefined) await alignMonth(scratch, money * TICK_MS);
    const run = await seedRun(scratch, steps, 'model');
    const other = await seedRun(scratch, steps, 'other');
    const gateId = await seedPlan(scratch, run, 1);
    const world = new World(scratch, run, other, options, gateId);
    if (money !== undefined) await world.reserve(run);
    return world;
  }

  say(line: string): void {
    this.trace.push(`t=${Math.round(this.t / 1000)}s ${line}`);
  }

  violated(name: string, why: string): void {
    this.violations.add(name);
    this.say(`VIOLATED ${name}: ${why}`);
  }

  effectId(step: EffectStep): EffectId {
    return effectOf(this.scratch, this.run, step);
  }

  ask(step: EffectStep, version: number, gateId: GateId, sender: string): AuthorizeAsk {
    return askFor(this.scratch, this.run, step, {
      gateId,
      version,
      sender,
      keyed: this.options.keyed.includes(step),
      caps: [{ scope: `cap:${this.run.runId}`, capMinor: CAP_MINOR }],
    });
  }

  private async reserve(run: SeededRun): Promise<void> {
    await this.scratch.db.transaction().execute((tx) =>
      reservePlan(tx, run.runId, [
        {
          step: this.options.steps[0] ?? 'create-customer',
          costMinor: CAP_MINOR,
          currency: 'USD',
          caps: [{ scope: `cap:${this.run.runId}`, capMinor: CAP_MINOR }],
        },
      ]),
    );
  }

  async month(): Promise<string> {
    const { rows } = await sql<{ month: string }>`
      select utc_month(countersign_now()) as month`.execute(this.scratch.db);
    return rows[0]?.month ?? '';
  }

  /** Another run takes what is left of this month's cap. */
  async otherReserves(): Promise<void> {
    const month = await this.month();
    if (this.others.has(month)) return;
    try {
      await this.reserve(this.other);
      this.others.set(month, 1);
      this.say(`another run reserves the cap of ${month}`);
    } catch {
      this.say(`another run finds no room in ${month}`);
    }
  }

  /** Time passes. Whatever is on the wire arrives or gets lost within a tick of its sending. */
  async tick(ms = TICK_MS): Promise<void> {
    const late = this.wire.find((request) => this.t + ms - request.sentAt > TICK_MS);
    if (late !== undefined) throw new Error('a request cannot be on the wire for so long');
    this.t += ms;
    this.stale = false;
    await advanceClock(this.scratch.db, ms);
    this.say(ms === TICK_MS ? '-- tick --' : `-- ${ms / 3_600_000} h pass --`);
  }

  async stop(): Promise<void> {
    await this.scratch.door.stop({
      scope: `run/${this.run.runId}`,
      reason: 'test',
      by: 'p_ada',
      proven: true,
    });
    this.fenced = true;
    this.say('STOP');
  }

  async resume(): Promise<void> {
    await this.scratch.door.resume({
      scope: `run/${this.run.runId}`,
      by: 'p_ada',
      statementDigest: this.effectId('create-customer').concat(String(this.trace.length)) as never,
    });
    this.fenced = false;
    this.say('resume');
  }

  async grantDies(): Promise<void> {
    await this.scratch.db
      .updateTable('gates')
      .set({ state: 'void' })
      .where('gate_id', '=', this.gateId)
      .execute();
    this.grantLive = false;
    this.say('the grant dies');
  }

  /** A changed action: a new revision of plan and gate, granted. */
  async replan(): Promise<void> {
    this.version += 1;
    this.gateId = await seedPlan(this.scratch, this.run, this.version);
    this.grantLive = true;
    this.say(`plan and gate, revision ${this.version}`);
  }

  async complete(): Promise<void> {
    const answer = await this.scratch.door.complete(this.run.runId);
    if (answer === 'completed') this.ends.add('completed');
    this.say(`an executor asks to complete: ${answer}`);
    await this.check();
  }

  keyOf(request: { effectId: EffectId; epoch: number }): string {
    return `${request.effectId}/${request.epoch}`;
  }

  forgetKeys(): void {
    for (const [key, kept] of this.keys)
      if (this.t - kept.at >= KEY_KEPT_MS) {
        this.keys.delete(key);
        this.say('the provider forgets a key');
      }
  }

  /** A request arrives at the provider, which answers (if anyone still listens). */
  async arrive(request: Request, outcome: Outcome = 'ok'): Promise<void> {
    this.wire.splice(this.wire.indexOf(request), 1);
    const keyed = this.options.keyed.includes(request.step);
    const kept = keyed ? this.keys.get(request.key) : undefined;
    let answer: Answer;
    if (kept !== undefined) {
      const again = kept.answer.kind === '500' ? '500again' : kept.answer.kind;
      answer =
        kept.digest === request.digest ? { ...kept.answer, kind: again } : { kind: 'refused' };
    } else {
      answer = await this.act(request, outcome);
      if (keyed && outcome !== 'refused')
        this.keys.set(request.key, { answer, digest: request.digest, at: this.t });
    }
    this.say(`provider: ${request.step} attempt ${request.attempt}: ${answer.kind}`);
    request.sender.hears(request, answer);
    await this.check();
  }

  private async act(request: Request, outcome: Outcome): Promise<Answer> {
    if (outcome !== 'ok' && outcome !== '500made') return { kind: outcome };
    this.made += 1;
    const id = `object-${this.made}`;
    const before = this.things.get(request.step) ?? [];
    this.things.set(request.step, [...before, { id, madeAt: this.t, alive: true }]);
    this.real.set(request.month, (this.real.get(request.month) ?? 0) + 1);
    if (this.fenced) {
      const { drainedAt } = await this.scratch.door.drained(`run/${this.run.runId}`);
      if (drainedAt !== undefined)
        this.violated('I2_Drained', 'made after the stop was reported drained');
    }
    return outcome === 'ok' ? { kind: 'ok', object: id } : { kind: '500' };
  }

  lose(request: Request): void {
    this.wire.splice(this.wire.indexOf(request), 1);
    this.say(`the wire loses attempt ${request.attempt} of ${request.step}`);
  }

  alive(step: EffectStep): Thing | undefined {
    return this.things.get(step)?.find((thing) => thing.alive);
  }

  mustSee(step: EffectStep): boolean {
    const thing = this.alive(step);
    return thing !== undefined && this.t - thing.madeAt >= TICK_MS && !this.stale;
  }

  /** A read by get or list: sees what is older than the lag, may see what is younger. */
  look(step: EffectStep, keen: boolean): string | undefined {
    const thing = this.alive(step);
    return thing !== undefined && (this.mustSee(step) || (keen && !this.stale))
      ? thing.id
      : undefined;
  }

  reverse(step: EffectStep, object: string): void {
    for (const thing of this.things.get(step) ?? []) if (thing.id === object) thing.alive = false;
    this.say(`REVERSES ${step}`);
  }

  /** The invariants of the model, over the truth here and the rows there. */
  async check(): Promise<void> {
    const { rows } = await sql<Standing>`
      select (select coalesce(json_agg(json_build_object('step', e.step, 'state', e.state)), '[]')
                from effects e where e.run_id = ${this.run.runId} and e.kind = 'act') as effects,
             (select coalesce(json_agg(c.effect_id), '[]') from cases c
               where c.run_id = ${this.run.runId}) as cases,
             (select coalesce(json_agg(b.reserved_minor + b.captured_minor), '[]') from balances b
               where b.scope = ${`cap:${this.run.runId}`}) as used`.execute(this.scratch.db);
    const [standing] = rows;
    if (standing === undefined) throw new Error('nothing stands');
    for (const step of this.options.steps) this.checkStep(step, standing);
    if (this.ends.has('completed') && this.ends.has('reversed'))
      this.violated('I6_OneEnd', 'completed and reversed');
    if (this.options.monthTurnsAfterTicks === undefined || standing.cases.length > 0) return;
    if (standing.used.some((used) => used > CAP_MINOR))
      this.violated('I4_Books', `${standing.used.join(', ')} of ${CAP_MINOR}`);
    for (const [month, charges] of this.real)
      if (charges + (this.others.get(month) ?? 0) > 1)
        this.violated('I4_Real', `${charges} charges in ${month} beside another run's`);
  }

  private checkStep(step: EffectStep, standing: Standing): void {
    const made = this.things.get(step)?.length ?? 0;
    const living = this.alive(step) !== undefined;
    const state = standing.effects.find((effect) => effect.step === step)?.state;
    if (made > 1) this.violated('I1_AtMostOnce', `${made} objects for ${step}`);
    if (state === 'failed' && living) this.violated('I9_FailedIsSure', `${step} failed, yet lives`);
    if (this.ends.has('completed') && (made !== 1 || !living))
      this.violated('I6_Completed', `${step} was reported completed`);
    if (this.ends.has('reversed') && living && !standing.cases.includes(this.effectId(step)))
      this.violated('I3_ReversedIsReversed', `${step} lives on`);
  }
}

interface Standing {
  readonly effects: readonly { readonly step: string; readonly state: string }[];
  readonly cases: readonly (string | null)[];
  readonly used: readonly number[];
}

/** Moves the database's clock to so many ms before the end of a UTC month. */
async function alignMonth({ db }: Scratch, beforeMs: number): Promise<void> {
  const { rows } = await sql<{ ms: number }>`
    select to_ms((date_trunc('month', countersign_now() at time zone 'UTC') + interval '1 month')
      at time zone 'UTC' - countersign_now()) as ms`.execute(db);
  const left = rows[0]?.ms ?? 0;
  const month = 31 * 24 * 3_600_000;
  if (left > beforeMs) await advanceClock(db, left - beforeMs);
  else {
    await advanceClock(db, month / 2);
    await alignMonth({ db } as Scratch, beforeMs);
  }
}
