import type { GeneratedAlways } from 'kysely';

export interface AnomaliesTable {
  anomaly_id: GeneratedAlways<number>;
  dedupe: string;
  run_id: string;
  agent: string;
  kind: string;
  text: string;
  consequence: 'note' | 'gate' | 'stop';
  seen_at: Date;
}
