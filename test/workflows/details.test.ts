import { expect, test } from '@jest/globals';
import type { RunId } from '../../domain/ids.js';
import type { RunState } from '../../domain/plan.js';
import { renderDetails } from '../../workflows/details.js';
import { nextLookMs } from '../../workflows/poll.js';

const STATE: RunState = {
  runId: 'run-1' as RunId,
  phase: 'awaiting-approval',
  why: 'waits at the gate register-domain',
  steps: [
    { step: 'create-customer', outcome: 'adopted', spentMinor: 0 },
    { step: 'start-subscription', outcome: 'succeeded', object: 'sub_1', spentMinor: 1_900 },
    { step: 'register-domain', outcome: 'pending', spentMinor: 0 },
  ],
  openGate: {
    gateId: 'provision/run-1:register-domain:2' as never,
    gate: 'register-domain',
    revision: 2,
    digest: `sha256:${'a'.repeat(64)}` as never,
    document: '{"nonce":"DOCUMENT-CANARY"}',
    card: '{"agentWords":"CARD-CANARY"}',
    expiresInMs: 1,
  },
  currency: 'USD',
  reservedMinor: 1_120,
  spentMinor: 1_900,
  residue: [{ step: 'start-subscription', minor: 5, text: 'fees' }],
  waitsFor: {
    what: '1 of approvers',
    who: 'the approvers that the rule names',
    command: 'countersign approve run-1 --gate register-domain --key FILE',
  },
};

test('the details say what the plan costs now, each month and each year', () => {
  const price = { firstMinor: 3_020, monthlyMinor: 1_900, yearlyMinor: 1_420 };
  expect(renderDetails({ ...STATE, price }, 'superseal.club', '')).toContain(
    'Costs at most 30.20 USD now, then 19.00 USD each month and 14.20 USD each year.',
  );
});

test('the details say where the run is, what it holds, whom it waits for, and how to decide', () => {
  expect(renderDetails(STATE, 'superseal.club', '2 refused: unsigned 2').split('\n')).toEqual([
    '**awaiting-approval**: waits at the gate register-domain',
    '',
    'Domain: `superseal.club`',
    '',
    'Waits for the approvers that the rule names: 1 of approvers',
    '',
    '    countersign approve run-1 --gate register-domain --key FILE',
    '',
    'Gate `provision/run-1:register-domain:2`,',
    `digest \`sha256:${'a'.repeat(64)}\`. Sign on your own machine, or by plain signal:`,
    '',
    '    countersign approve run-1 --gate register-domain --key FILE --print > decision.json',
    '    temporal workflow signal -w provision/run-1 --name decide --input-file decision.json',
    '',
    '| step | outcome | spent |',
    '|---|---|---|',
    '| create-customer | adopted |  |',
    '| start-subscription | succeeded | 19.00 USD |',
    '| register-domain | pending |  |',
    '',
    'Reserved 11.20 USD.',
    '',
    'Left by start-subscription: fees (0.05 USD)',
    '',
    'Decisions: 2 refused: unsigned 2',
  ]);
});

test('card and document are never shown, and foreign words come without markup, addresses and links', () => {
  const text = renderDetails(
    {
      ...STATE,
      why: 'rejected: [click](https://evil.example/?token=abc) <img> `x`\n# person@example.com | y',
      steps: [
        {
          step: 'deploy-site',
          outcome: 'stuck',
          spentMinor: 0,
          note: 'a|b\n| forged | row | postgres://user:secret@db/x',
        },
      ],
    },
    'superseal.club',
    '',
  );
  expect(text).not.toMatch(/CANARY|token=abc|person@|secret@|<img>|\[click\]|postgres:/);
  expect(text.split('\n').filter((line) => line.startsWith('| '))).toHaveLength(2);
});

test.each([
  [0, 2_000],
  [10_000, 2_000],
  [60_000, 6_000],
  [3_600_000, 360_000],
  [86_400_000, 1_800_000],
])('after %i ms of waiting for a person the next look is %i ms away', (waited, wait) => {
  expect(nextLookMs(waited)).toBe(wait);
});
