import { listBalances } from '../../store/overview.js';
import { policyCaps } from '../policy-caps.js';
import type { Register } from '../cli.js';
import type { Context } from '../context.js';
import { money, table } from '../style.js';

/** `ledger`: what was spent, and what is set aside. */
export const registerLedger: Register = (verbs) => {
  verbs
    .add(
      'ledger',
      'Shows caps, and what is reserved and spent against them',
      'countersign ledger --json',
    )
    .action(verbs.run(ledger));
};

async function ledger(context: Context): Promise<0> {
  const db = await context.database();
  const { style } = context;
  const capOf = await policyCaps(db);
  const rows = (await listBalances(db)).map((row) => {
    const used = row.reserved_minor + row.captured_minor + row.standing_minor;
    return {
      scope: row.scope,
      month: row.month,
      currency: row.currency,
      reservedMinor: row.reserved_minor,
      capturedMinor: row.captured_minor,
      standingMinor: row.standing_minor,
      capMinor: capOf(row.scope),
      usedMinor: used,
    };
  });
  const amount = (minor: number | undefined): string =>
    minor === undefined ? '' : money(minor, '').trim();
  const titles = ['reserved', 'spent', 'renewals', 'cap', 'left'];
  context.print(
    { balances: rows },
    rows.length === 0
      ? [style.dim('Nothing was reserved or spent this month.')]
      : table(
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
            row.capMinor === undefined ? '' : amount(row.capMinor - row.usedMinor),
            row.currency,
          ]),
        ),
  );
  return 0;
}
