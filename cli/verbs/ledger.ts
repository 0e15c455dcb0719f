import { UsageError } from '../../config/errors.js';
import {
  alertRows,
  ledgerRows,
  renewalRows,
  type AlertRow,
  type LedgerRow,
  type RenewalRow,
} from '../../store/ledger-view.js';
import { policyCaps } from '../policy-caps.js';
import type { Register } from '../cli.js';
import type { Context } from '../context.js';
import { money, table, type Style } from '../style.js';

interface LedgerOptions {
  readonly month?: string;
}

/** `ledger`: what was spent, what is set aside, and what renews. */
export const registerLedger: Register = (verbs) => {
  verbs
    .add(
      'ledger',
      'Shows caps, what is reserved, spent and renewed against them, and alerts',
      'countersign ledger --month 2026-11 --json',
    )
    .option('--month <month>', 'a UTC month such as 2026-11; this one unless given')
    .action(verbs.run(ledger));
};

type Row = LedgerRow & {
  readonly usedMinor: number;
  readonly capMinor: number | undefined;
  readonly roomMinor: number | undefined;
};

async function ledger(context: Context, { month }: LedgerOptions): Promise<0> {
  if (month !== undefined && !/^[2-9]\d{3}-(0[1-9]|1[0-2])$/.test(month))
    throw new UsageError({
      what: `--month ${JSON.stringify(month.slice(0, 40))} is no month`,
      remedy: 'Write it like 2026-11',
    });
  const db = await context.database();
  const { style } = context;
  const capOf = await policyCaps(context);
  const balances = (await ledgerRows(db, month)).map((row): Row => {
    const usedMinor = row.reservedMinor + row.capturedMinor + row.standingMinor;
    const capMinor = capOf(row.scope);
    const roomMinor = capMinor === undefined ? undefined : capMinor - usedMinor;
    return { ...row, usedMinor, capMinor, roomMinor };
  });
  const alerts = await alertRows(db, month);
  const renewals = await renewalRows(db, month);
  context.print({ balances, alerts, renewals }, [
    ...balanceLines(style, balances, month),
    ...alertLines(style, alerts),
    ...renewalLines(style, renewals),
  ]);
  return 0;
}

function balanceLines(style: Style, rows: readonly Row[], month: string | undefined): string[] {
  const amount = (minor: number | undefined): string =>
    minor === undefined ? '' : money(minor, '').trim();
  const titles = ['reserved', 'spent', 'renewals', 'cap', 'left'];
  return rows.length === 0
    ? [
        style.dim(
          `Nothing was reserved or spent ${month === undefined ? 'this month' : `in ${month}`}.`,
        ),
      ]
    : [
        ...table(
          style,
          [
            { title: 'month' },
            { title: 'scope' },
            ...titles.map((title) => ({ title, align: 'right' as const })),
            { title: '' },
          ],
          rows.map((row) => [
            row.month,
            row.scope,
            amount(row.reservedMinor),
            amount(row.capturedMinor),
            amount(row.standingMinor),
            amount(row.capMinor),
            amount(row.roomMinor),
            row.currency,
          ]),
        ),
      ];
}

function alertLines(style: Style, alerts: readonly AlertRow[]): string[] {
  if (alerts.length === 0) return [];
  return [
    '',
    style.bold('Alerts'),
    ...alerts.map(({ at, percent, scope }) =>
      style.warn(`  ${percent} % of ${scope} since ${at.toISOString()}`),
    ),
  ];
}

function renewalLines(style: Style, renewals: readonly RenewalRow[]): string[] {
  if (renewals.length === 0) return [];
  return [
    '',
    style.bold('Next renewals'),
    ...renewals.map(
      (one) =>
        `  ${one.nextAt.toISOString().slice(0, 10)}  ${money(one.amountMinor, one.currency)} a ${one.renews}  ${one.step} of ${one.runId}`,
    ),
  ];
}
