import { sha256Hex, utf8 } from '../canonical.js';
import type { Params } from '../documents.js';
import type { EffectStep } from '../steps.js';

/** One forward effect on record, as far as the world is compared with it. Amounts in minor units. */
export interface OurEffect {
  readonly effectId: string;
  readonly runId: string;
  readonly step: EffectStep;
  readonly operation: string;
  /** `moving`: in flight, being taken back, or settled too lately to be seen everywhere: nothing is concluded. */
  readonly state: 'stands' | 'over' | 'moving';
  /** How it ended where it is over: `reversed`, `mitigated`, `never-happened`, `done-by-hand`, `given-up`. */
  readonly outcome?: string;
  readonly object?: string;
  readonly fields: Readonly<Record<string, string>>;
  /** The account that it acts in, where it is known. */
  readonly account?: string;
  readonly params: Params;
  readonly capturedMinor: number;
  readonly refundedMinor: number;
  readonly currency: string;
  /** What it goes on costing, while nobody has ended it. */
  readonly renewalMinor?: number;
  /** Whether a stop wants its collection paused; `moving`: for a short time only, or no more. Absent: no. */
  readonly paused?: 'yes' | 'no' | 'moving';
}

/** All that is on record here, for comparing with what exists. */
export interface OurRecords {
  readonly instance: string;
  /** Oldest first: of two that stand over the same thing the later holds. */
  readonly effects: readonly OurEffect[];
  /** Accounts of principals that were adopted or linked: theirs, and known. */
  readonly accounts: ReadonlySet<string>;
  /** Names of the tokens that the gateway minted; `live` ones may be there. */
  readonly tokens: ReadonlyMap<string, 'live' | 'over'>;
  readonly nowMs: number;
}

/** A difference, by a name that is the same at every pass. Texts hold ids, names of things and amounts; no person. */
export interface Finding {
  readonly name: string;
  readonly kind: string;
  readonly object: string;
  readonly runId?: string;
  readonly effectId?: string;
  readonly text: string;
  readonly proposal?: string;
}

/** Something that is nobody's here: listed, never touched. */
export interface Outside {
  readonly kind: string;
  readonly object: string;
}

/** A renewal that the provider has charged. */
export interface Renewed {
  readonly effectId: string;
  readonly object: string;
  readonly paidMinor: number;
  readonly paidAtMs: number;
}

export interface Compared {
  readonly findings: readonly Finding[];
  readonly unmanaged: readonly Outside[];
  readonly renewed: readonly Renewed[];
  /** Effects whose subscription has ended at the provider. */
  readonly ended: readonly string[];
}

/** The effect's object is given back or surely was never made: nothing of it may be there. */
export const isOver = ({ state, outcome }: OurEffect): boolean =>
  state === 'over' && outcome !== 'given-up' && outcome !== 'mitigated';

/** guard: only what bears this installation's own id is ours, whatever else it looks like. */
export const bearsOurMark = (records: OurRecords, marker: string | undefined): marker is string =>
  marker?.startsWith(`${records.instance}/`) === true;

/** The short form of an effect id that fits into comments and names: 32 hex digits of its SHA-256. */
export const shortForm = (effectId: string): string => sha256Hex(utf8(effectId)).slice(0, 32);

/** Run and step that a marker of ours names, for a text. */
export function named(marker: string): string {
  const [, runId = '?', step = '?'] = marker.split('/');
  return `${step} of ${runId}`;
}

/** What a finding says of the effect that it is about. */
export const about = (effect: OurEffect): Pick<Finding, 'runId' | 'effectId'> => ({
  runId: effect.runId,
  effectId: effect.effectId,
});

/** A parameter as text; '' where it is none. */
export function textOf({ params }: OurEffect, name: string): string {
  const value = params[name];
  return typeof value === 'string' || typeof value === 'number' ? String(value) : '';
}

/** Effects of one step, oldest first. */
export const ofStep = (records: OurRecords, step: EffectStep): readonly OurEffect[] =>
  records.effects.filter((effect) => effect.step === step);

/** The effect that stands last over a thing; undefined while one of them is moving, or when none stands. */
export function holder(effects: readonly OurEffect[]): {
  readonly effect: OurEffect | undefined;
  readonly moving: boolean;
} {
  return {
    effect: effects.filter(({ state }) => state === 'stands').at(-1),
    moving: effects.some(({ state }) => state === 'moving'),
  };
}

interface Marked {
  readonly id: string;
  readonly marker: string | undefined;
}

/**
 * Judges one thing by its marker: whose is it, and may it be there? `kind` names it: `customer`, `subscription` ….
 * Undefined: as it should be, or not to be judged now. `outside`: nobody's here.
 */
export function judgeMarked(
  records: OurRecords,
  thing: Marked,
  of: { readonly provider: string; readonly kind: string },
): Finding | 'outside' | undefined {
  const { id, marker } = thing;
  if (!bearsOurMark(records, marker)) return 'outside';
  const effect = records.effects.find(({ effectId }) => effectId === marker);
  const what = `the ${of.kind} ${id} at ${of.provider}`;
  const name = `${of.provider}/${of.kind}/${id}`;
  if (effect === undefined)
    return {
      name: `orphan/${name}`,
      kind: 'orphan',
      object: id,
      text: `${what} bears the mark of ${named(marker)}, and no such effect is on record`,
    };
  if (effect.state === 'moving') return undefined;
  if (effect.object !== undefined && effect.object !== id)
    return {
      name: `double/${name}`,
      kind: 'double',
      object: id,
      ...about(effect),
      text: `${what} bears the mark of ${named(marker)}, which has made ${effect.object}`,
    };
  if (effect.object === id && !isOver(effect)) return undefined;
  return {
    name: `orphan/${name}`,
    kind: 'orphan',
    object: id,
    ...about(effect),
    text: `${what} is still there, and ${named(marker)} is ${effect.outcome ?? 'known to have done nothing'}`,
  };
}

/** One that is a finding goes there, one that is nobody's is listed. */
export class Sheet {
  readonly findings: Finding[] = [];
  readonly unmanaged: Outside[] = [];
  readonly renewed: Renewed[] = [];
  readonly ended: string[] = [];

  /** Takes a judgement over one thing. */
  take(kind: string, object: string, judged: Finding | 'outside' | undefined): void {
    if (judged === 'outside') this.unmanaged.push({ kind, object });
    else if (judged !== undefined) this.findings.push(judged);
  }

  find(finding: Finding): void {
    this.findings.push(finding);
  }
}
