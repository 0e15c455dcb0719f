const KEPT_PER_GATE = 100;
const HOLD_AFTER = 2_000;

/** Decisions that were refused: by reason, one by one up to a hundred a gate, from then on counted. */
export class RefusalLog {
  #total = 0;
  #atGate = 0;
  readonly #reasons = new Map<string, number>();

  add(reason: string): void {
    this.#total += 1;
    this.#atGate += 1;
    // Reasons come from a fixed list; the bound is for a worker that is not ours.
    const name = this.#reasons.size < 50 || this.#reasons.has(reason) ? reason : 'other';
    this.#reasons.set(name, (this.#reasons.get(name) ?? 0) + 1);
  }

  startGate(): void {
    this.#atGate = 0;
  }

  /** From here on, messages that cannot be meant for the open gate are counted without asking the gateway. */
  get isFull(): boolean {
    return this.#atGate >= KEPT_PER_GATE;
  }

  /** So many that a person should look: the run holds. */
  get isFlooded(): boolean {
    return this.#total >= HOLD_AFTER;
  }

  /** `3 refused: signature-bad 2, gate-closed 1`, or nothing. */
  toString(): string {
    if (this.#total === 0) return '';
    const parts = [...this.#reasons].map(([reason, count]) => `${reason} ${count}`);
    return `${this.#total} refused: ${parts.join(', ')}`;
  }
}
