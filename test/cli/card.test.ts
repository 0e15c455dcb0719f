import { expect, test } from '@jest/globals';
import { renderCard } from '../../cli/card.js';
import { styleFor, widthOf } from '../../cli/style.js';
import { gateOf } from './gate-fixture.js';

const plain = styleFor({ columns: 100, colour: false });
const frame = { digest: `sha256:${'d'.repeat(64)}`, expiresInMs: 86_340_000 };

test.each(['plan', 'register-domain'])('the card of the gate %s reads as it should', (name) => {
  const { gate, card } = gateOf(name);
  expect(renderCard(plain, gate, card, frame).join('\n')).toMatchSnapshot();
});

test('differences to the gate before it are shown, before and after', () => {
  const { gate, card } = gateOf('register-domain', (made) => ({
    ...made,
    changes: [{ what: 'price of superseal.club', before: '11.20 USD', after: '11.21 USD' }],
  }));
  const text = renderCard(plain, gate, card, frame).join('\n');
  expect(text).toMatch(/price of superseal\.club +11\.20 USD +11\.21 USD/);
});

test('foreign text can neither move the cursor, nor hide a letter, nor draw a line of its own', () => {
  const hostile = 'a\u001b[2J\u202eb\u200bc\nfirst charge  0.00 USD';
  const { gate, card } = gateOf('plan', (made) => ({
    ...made,
    title: hostile,
    agentWords: hostile,
    notes: [hostile],
    actions: made.actions.map((action) => ({ ...action, title: hostile })),
  }));
  const lines = renderCard(plain, gate, card, frame);
  expect(lines.join('\n')).not.toMatch(/[\u001b\u202e\u200b]/);
  expect(lines.filter((line) => line.startsWith('first charge'))).toEqual([]);
  expect(lines.join('\n')).toContain('<U+202E>');
});

test('no line is wider than the terminal, but for a name that cannot be broken', () => {
  const narrow = styleFor({ columns: 80, colour: false });
  const { gate, card } = gateOf('plan');
  const wide = renderCard(narrow, gate, card, frame).filter((line) => widthOf(line) > 80);
  expect(wide.filter((line) => !line.includes('sha256:'))).toEqual([]);
});
