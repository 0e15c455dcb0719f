import { UsageError } from '../config/errors.js';
import { scopeSchema, type Scope } from '../domain/documents.js';

/** `--all`, `--run`, `--agent`, `--principal`, `--provider`: exactly one of them. */
export interface ScopeOptions {
  readonly all?: boolean;
  readonly run?: string;
  readonly agent?: string;
  readonly principal?: string;
  readonly provider?: string;
}

const EACH = '--all, --run RUN, --agent AGENT, --principal PRINCIPAL or --provider PROVIDER';

/** @throws UsageError when none or several are given, or one is malformed */
export function scopeOf(options: ScopeOptions): Scope {
  const { all, run, agent, principal, provider } = options;
  const given = [
    ...(all === true ? ['all'] : []),
    ...Object.entries({ run, agent, principal, provider }).flatMap(([kind, id]) =>
      id === undefined ? [] : [`${kind}/${id}`],
    ),
  ];
  const [scope, ...others] = given;
  if (scope === undefined || others.length > 0)
    throw new UsageError({
      what: scope === undefined ? 'it is not said what to stop or resume' : 'two scopes at once',
      remedy: `Give exactly one of ${EACH}`,
    });
  const parsed = scopeSchema.safeParse(scope);
  if (parsed.success) return parsed.data;
  throw new UsageError({
    what: `${JSON.stringify(scope.slice(0, 120))} is no scope`,
    remedy: 'A provider is stripe or cloudflare; ids are those of `countersign runs` and `people`',
  });
}
