import { randomUUID } from 'node:crypto';
import { sql } from 'kysely';
import type { GateId } from '../../domain/ids.js';
import type { EffectStep } from '../../domain/steps.js';
import type { DoorAnswer, ReadTicket, SettleAsk } from '../../gateway/door-contract.js';
import type { Answer, Request, World } from './world.js';

type Stage = 'idle' | 'look' | 'reading' | 'armed' | 'wait' | 'got';
type Grant = Extract<DoorAnswer, { verdict: 'granted' }>;

const OUTCOMES: Readonly<Record<Answer['kind'], SettleAsk['outcome']>> = {
  ok: 'succeeded',
  '402': 'stored-final',
  '500': 'unknown',
  '500again': 'stored-500',
  '500made': 'unknown',
  refused: 'unstored-refusal',
};

/** One sending process: starts for any step at any moment, and stalls or crashes between any two of its acts. */
export class Sender {
  stage: Stage = 'idle';
  step: EffectStep = 'create-customer';
  /** The attempt it has read. */
  attempt = 0;
  private version = 1;
  private gateId: GateId;
  private grant: Grant | undefined;
  private deadline = 0;
  private month = '';
  private ticket: ReadTicket | undefined;
  private seen: string | undefined;
  private answer: Answer | 'none' = 'none';

  constructor(
    readonly name: string,
    private readonly world: World,
  ) {
    this.gateId = world.gateId;
  }

  async start(step: EffectStep): Promise<this> {
    const row = await this.world.scratch.door.row(this.world.effectId(step));
    this.stage = 'look';
    this.step = step;
    this.attempt = row?.attempt ?? 0;
    this.version = this.world.version;
    this.gateId = this.world.gateId;
    this.world.say(`${this.name} starts for ${step}: ${row?.state ?? 'no row'}, ${this.attempt}`);
    return this;
  }

  crash(): void {
    this.world.say(`${this.name} crashes (${this.stage})`);
    this.stage = 'idle';
  }

  async authorize(): Promise<boolean> {
    const { world } = this;
    const ask = world.ask(this.step, this.version, this.gateId, randomUUID());
    return this.arm(await world.scratch.door.authorize(ask), 'authorizes');
  }

  async claim(): Promise<boolean> {
    const { world } = this;
    const ask = world.ask(this.step, this.version, this.gateId, randomUUID());
    const answer = await world.scratch.door.claim({ ...ask, attempt: this.attempt });
    return this.arm(answer, 'claims');
  }

  private async arm(answer: DoorAnswer, does: string): Promise<boolean> {
    const { world } = this;
    const why = answer.verdict === 'refused' ? answer.reason : '';
    world.say(`${this.name} ${does} ${this.step}: ${answer.verdict} ${why}`);
    if (answer.verdict !== 'granted') return false;
    world.say(`  attempt ${answer.attempt}, epoch ${answer.epoch}`);
    if (world.fenced) world.violated('I2_NothingAfterStop', 'committed after a stop');
    if (!world.grantLive || this.version !== world.version)
      world.violated('I5_LiveGrant', 'committed without a live grant');
    if (world.ends.has('completed')) world.violated('Sane', 'committed on a completed run');
    await this.checkOrder();
    this.grant = answer;
    this.attempt = answer.attempt;
    this.deadline = world.t + answer.remainingMs;
    this.month = await world.month();
    this.stage = 'armed';
    return true;
  }

  private async checkOrder(): Promise<void> {
    const { world } = this;
    const rows = await world.scratch.door.rows(world.run.runId);
    for (const earlier of world.options.steps) {
      if (earlier === this.step) return;
      const row = rows.find((candidate) => candidate.step === earlier && candidate.kind === 'act');
      if (row?.state !== 'succeeded') world.violated('I8_Order', `${this.step} before ${earlier}`);
    }
  }

  /** In the tick of sending the deadline is checked. */
  send(): Request | undefined {
    const { world, grant } = this;
    if (this.stage !== 'armed' || grant === undefined) return undefined;
    const late = world.t >= this.deadline;
    if (late && world.options.deadlineCheck !== false) {
      world.say(`${this.name} is too late to send`);
      this.stage = 'idle';
      return undefined;
    }
    if (late) world.violated('I2_NoLateSend', 'sent after send_by');
    const effectId = world.effectId(this.step);
    const request: Request = {
      effectId,
      step: this.step,
      attempt: grant.attempt,
      key: world.keyOf({ effectId, epoch: grant.epoch }),
      digest: `${this.step} ${this.version}`,
      month: this.month,
      sender: this,
      sentAt: world.t,
    };
    world.wire.push(request);
    this.stage = 'wait';
    world.say(`${this.name} SENDS attempt ${grant.attempt}, epoch ${grant.epoch}`);
    return request;
  }

  hears(request: Request, answer: Answer): void {
    if (this.stage !== 'wait' || request.attempt !== this.attempt || request.step !== this.step)
      return;
    this.answer = answer;
    this.stage = 'got';
  }

  timesOut(): void {
    if (this.stage !== 'wait') return;
    this.answer = 'none';
    this.stage = 'got';
    this.world.say(`${this.name} gets no answer`);
  }

  async settle(): Promise<void> {
    if (this.stage !== 'got') return;
    const { world, answer } = this;
    this.stage = 'idle';
    const base = { effectId: world.effectId(this.step), attempt: this.attempt, evidence: {} };
    const paid =
      world.options.monthTurnsAfterTicks !== undefined && this.step === world.options.steps[0];
    const { row, caseOpened } = await world.scratch.door.settle(
      answer === 'none'
        ? { ...base, outcome: 'unknown' }
        : answer.kind === 'ok'
          ? {
              ...base,
              outcome: 'succeeded',
              object: answer.object ?? '',
              capturedMinor: paid ? 100 : 0,
            }
          : { ...base, outcome: OUTCOMES[answer.kind] },
    );
    const what = answer === 'none' ? 'nothing' : answer.kind;
    world.say(
      `${this.name} settles ${this.attempt} with ${what}: ${row.state} ${caseOpened ?? ''}`,
    );
    await world.check();
  }

  /** A read is asked now and reported later: the process may stall in between. */
  async asks(keen: boolean): Promise<void> {
    if (this.stage !== 'look' || this.attempt === 0) return;
    this.ticket = await this.world.scratch.door.startRead(this.world.effectId(this.step));
    this.seen = this.world.look(this.step, keen);
    this.stage = 'reading';
  }

  async reports(): Promise<void> {
    if (this.stage !== 'reading' || this.ticket === undefined) return;
    const found = this.seen;
    const standing = await this.world.scratch.door.recordRead(this.ticket, found !== undefined);
    this.world.say(
      `${this.name} reads back: ${found ?? 'absent'}${standing.surelyAbsent ? ', surely' : ''}`,
    );
    this.stage = 'look';
    if (found === undefined) return;
    this.answer = { kind: 'ok', object: found };
    this.stage = 'got';
  }

  async reads(keen = false): Promise<void> {
    await this.asks(keen);
    await this.reports();
  }

  async failsAbsent(): Promise<void> {
    if (this.stage !== 'look' || this.attempt === 0) return;
    const effectId = this.world.effectId(this.step);
    const failed = await this.world.scratch.door.failAbsent(effectId, this.attempt);
    if (failed) this.world.say(`${this.name} records FAILED: surely absent`);
    await this.world.check();
  }
}

/** A cause that is always to be had: Temporal's own word, as the sweep would have read it. */
export async function recordTermination(world: World): Promise<void> {
  await sql`insert into temporal_ends values (${world.run.runId}, 'TERMINATED', countersign_now())
    on conflict do nothing`.execute(world.scratch.db);
}
