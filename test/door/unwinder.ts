import { randomUUID } from 'node:crypto';
import { Failure } from '../../domain/errors.js';
import type { EffectStep } from '../../domain/steps.js';
import type { EffectRow, ReadTicket } from '../../gateway/door-contract.js';
import { recordTermination } from './sender.js';
import type { World } from './world.js';

type Stage = 'idle' | 'mark' | 'look' | 'reading' | 'absent' | 'undo' | 'reverse' | 'gone';

/** One unwinding process, last step first. `step` does the next thing it can; false when it has to wait. */
export class Unwinder {
  stage: Stage = 'idle';
  private index = 0;
  private ticket: ReadTicket | undefined;
  private seen: string | undefined;
  private object = '';

  constructor(
    readonly name: string,
    private readonly world: World,
  ) {}

  crash(): void {
    this.world.say(`${this.name} crashes (${this.stage})`);
    this.stage = 'idle';
  }

  private get what(): EffectStep {
    return this.world.options.steps[this.index] ?? 'create-customer';
  }

  private get door() {
    return this.world.scratch.door;
  }

  /** `keen`: a read sees what is younger than the lag; `lost`: the reversal's request gets lost. */
  async step(options: { readonly keen?: boolean; readonly lost?: boolean } = {}): Promise<boolean> {
    try {
      return await this.next(options);
    } catch (error) {
      if (!(error instanceof Failure) || (error.code !== 'NO_CAUSE' && error.code !== 'BUSY'))
        throw error;
      this.world.say(`${this.name} is refused: ${error.message}`);
      this.stage = 'idle';
      return false;
    } finally {
      await this.world.check();
    }
  }

  private async next(options: { readonly keen?: boolean; readonly lost?: boolean }) {
    const { world } = this;
    switch (this.stage) {
      case 'idle':
        return this.closeDoor();
      case 'mark':
        return this.mark();
      case 'look':
        return this.decide(options.keen ?? false);
      case 'reading':
        return this.report();
      case 'absent':
        return this.closeAbsent();
      case 'undo':
        return this.authorizeUndo();
      case 'reverse':
        if (options.lost !== true && this.what !== world.options.pivot)
          world.reverse(this.what, this.object);
        await this.settleUndo(options.lost !== true);
        this.stage = 'gone';
        return true;
      case 'gone':
        return this.close();
    }
  }

  private async closeDoor(): Promise<boolean> {
    const { world } = this;
    if (world.ends.has('reversed')) return false;
    await recordTermination(world);
    await this.door.closeDoor({
      runId: world.run.runId,
      cause: { kind: 'temporal', status: 'TERMINATED' },
    });
    world.say(`${this.name} closes the door`);
    this.index = world.options.steps.length - 1;
    this.stage = 'mark';
    return true;
  }

  private async mark(): Promise<boolean> {
    const before = await this.row();
    // Without tombstones there is no row to answer with; the door says so.
    const marked = await this.door
      .markClosing(this.world.run.runId, this.what)
      .catch((error: unknown) => {
        if (error instanceof Error && error.message.includes('has no row')) return undefined;
        throw error;
      });
    this.world.say(`${this.name} marks ${this.what}: ${before?.state} to ${marked?.state}`);
    this.stage = 'look';
    return true;
  }

  private row(): Promise<EffectRow | undefined> {
    return this.door.row(this.world.effectId(this.what));
  }

  private async decide(keen: boolean): Promise<boolean> {
    const row = await this.row();
    if (row?.state === 'closed') return this.advance();
    if (row?.object !== undefined) {
      this.object = row.object;
      this.stage = 'undo';
      return true;
    }
    if (row === undefined || row.surelyAbsent) {
      this.stage = 'absent';
      return true;
    }
    this.ticket = await this.door.startRead(this.world.effectId(this.what));
    this.seen = this.world.look(this.what, keen);
    this.stage = 'reading';
    return true;
  }

  private async closeAbsent(): Promise<boolean> {
    await this.door.closeRow({
      runId: this.world.run.runId,
      step: this.what,
      outcome: 'never-happened',
      refundedMinor: 0,
      residue: { minor: 0, text: '' },
    });
    this.world.say(`${this.name} closes ${this.what}: never happened`);
    return this.advance();
  }

  private async report(): Promise<boolean> {
    const { world, ticket, seen } = this;
    if (ticket === undefined) throw new Error('no read was begun');
    await this.door.recordRead(ticket, seen !== undefined);
    world.say(`${this.name} reads ${this.what}: ${seen ?? 'absent'}`);
    this.stage = 'look';
    if (seen === undefined) return false;
    const paid = world.options.monthTurnsAfterTicks !== undefined && this.index === 0;
    await this.door.settle({
      effectId: world.effectId(this.what),
      attempt: ticket.attempt,
      outcome: 'succeeded',
      object: seen,
      capturedMinor: paid ? 100 : 0,
      foundBy: 'unwinder',
      evidence: {},
    });
    return true;
  }

  private async authorizeUndo(): Promise<boolean> {
    const answer = await this.door.authorizeUndo({
      runId: this.world.run.runId,
      step: this.what,
      httpTimeoutMs: 48_000,
      sender: randomUUID(),
    });
    if (answer.verdict === 'granted') this.stage = 'reverse';
    else if (answer.verdict === 'refused') this.stage = 'look';
    return answer.verdict !== 'wait';
  }

  private async settleUndo(done: boolean): Promise<void> {
    const act = this.world.effectId(this.what);
    const effectId = act.replace(/act$/, 'undo') as typeof act;
    const row = await this.door.row(effectId);
    const base = { effectId, attempt: row?.attempt ?? 0, evidence: {} };
    await this.door.settle(
      done
        ? { ...base, outcome: 'succeeded', object: `${this.object} undone` }
        : { ...base, outcome: 'unknown' },
    );
  }

  private async close(): Promise<boolean> {
    const { world } = this;
    const pivot = this.what === world.options.pivot;
    const gone =
      world.things.get(this.what)?.every((t) => t.id !== this.object || !t.alive) ?? true;
    if (!pivot && !gone) {
      this.stage = 'undo';
      return true;
    }
    await this.door.closeRow({
      runId: world.run.runId,
      step: this.what,
      outcome: pivot ? 'mitigated' : 'reversed',
      refundedMinor: 0,
      residue: { minor: 0, text: '' },
      ...(pivot ? { caseText: 'it stays until it expires' } : {}),
    });
    world.say(`${this.name} closes ${this.what}: ${pivot ? 'mitigated' : 'reversed'}`);
    return this.advance();
  }

  private async advance(): Promise<boolean> {
    const { world } = this;
    if (this.index > 0) {
      this.index -= 1;
      this.stage = 'mark';
      return true;
    }
    const answer = await this.door.finish(world.run.runId, 'test');
    world.say(`${this.name} ends the run: ${answer}`);
    if (answer === 'finished') world.ends.add('reversed');
    this.stage = 'idle';
    return true;
  }
}
