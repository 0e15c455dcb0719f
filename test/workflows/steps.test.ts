import { expect, test } from '@jest/globals';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { TEARDOWN_STEPS } from '../../domain/build-teardown.js';
import { OPERATIONS, TEARDOWNS } from '../../domain/operations.js';
import { builtInPolicy } from '../../domain/policy/built-in.js';
import { ENVIRONMENTS, PIVOT, STEPS, TIERS } from '../../domain/steps.js';
import { effectSteps, provisionSteps } from '../../workflows/provision.js';
import { teardownSteps } from '../../workflows/teardown.js';
import type { StepDefinition } from '../../workflows/define-step.js';

const residueOf = ({ reversal }: StepDefinition): string => {
  switch (reversal.kind) {
    case 'compensate':
      return 'nothing';
    case 'mitigate':
      return reversal.residue;
    case 'none':
      return reversal.because;
  }
};

test('the review of the steps: a gate weakened or a reversal lost shows as a changed line', () => {
  const lines = provisionSteps.map((step) =>
    [step.name, step.tier, step.reversal.kind, residueOf(step)].join(' | '),
  );
  expect(lines).toEqual([
    'create-customer | autonomous | compensate | nothing',
    'link-account | approve | mitigate | a created account stays as an empty free account: only a person can close it',
    'start-subscription | sign-off | mitigate | what the card payment cost the platform is not given back',
    'register-domain | sign-off | mitigate | the name stays registered and paid for until it expires',
    'configure-dns | autonomous | compensate | nothing',
    'deploy-site | autonomous | compensate | nothing',
    'attach-domain | autonomous | compensate | nothing',
    'verify-site | autonomous | none | it only reads',
  ]);
});

test('the steps are those of the domain, in its order, and only what follows the pivot is patient', () => {
  expect(provisionSteps.map(({ name }) => name)).toEqual([...STEPS]);
  const pivot = STEPS.indexOf(PIVOT);
  expect(effectSteps.map(({ patience }) => patience)).toEqual(
    effectSteps.map((_step, at) => (at < pivot ? 'early' : at === pivot ? 'pivot' : 'late')),
  );
});

test('every step has an activity and a reversal of its own', () => {
  const used = effectSteps.flatMap(({ action, reversal }) => [action, reversal.activity]);
  expect(new Set(used).size).toBe(used.length);
});

test.each(Object.entries(OPERATIONS))(
  'the plan never promises more of %s than its step does',
  (_operation, { step, provider, reversal }) => {
    const definition = effectSteps.find(({ name }) => name === step);
    expect(definition?.provider).toBe(provider);
    if (reversal === 'mitigate') expect(definition?.reversal.kind).toBe('mitigate');
  },
);

test.each(effectSteps.map((step) => [step.name, step] as const))(
  'the built-in policy asks for the floor of %s or more in every environment',
  (name, { tier }) => {
    for (const environment of ENVIRONMENTS) {
      const asked = builtInPolicy()
        .tiers.filter((rule) => rule.step === '*' || rule.step === name)
        .filter((rule) => rule.environment === undefined || rule.environment === environment)
        .filter((rule) => rule.amountAbove === undefined)
        .map((rule) => TIERS.indexOf(rule.tier));
      expect(Math.max(...asked)).toBeGreaterThanOrEqual(TIERS.indexOf(tier));
    }
  },
);

test('the catalogue in the docs says what the steps say', () => {
  const catalogue = readFileSync(
    path.resolve(import.meta.dirname, '../../docs/catalog.md'),
    'utf8',
  );
  for (const step of provisionSteps) {
    const back = step.reversal.kind === 'none' ? '–' : step.reversal.summary;
    expect(catalogue).toContain(
      `| ${[step.name, step.summary, step.costMax, step.tier, back, residueOf(step)].join(' | ')} |`,
    );
  }
});

test('a teardown takes down what the steps made, backwards, but the account', () => {
  expect(teardownSteps.map(({ name }) => name)).toEqual([...TEARDOWN_STEPS]);
  expect([...TEARDOWN_STEPS].reverse()).toEqual(
    effectSteps.map(({ name }) => name).filter((name) => name !== 'link-account'),
  );
  for (const { name, provider } of teardownSteps)
    expect(TEARDOWNS[`teardown.${name}`]).toEqual({ step: name, provider, reversal: 'none' });
});

test('the catalogue in the docs says what a teardown does', () => {
  const catalogue = readFileSync(
    path.resolve(import.meta.dirname, '../../docs/catalog.md'),
    'utf8',
  );
  for (const { name, summary, provider } of teardownSteps)
    expect(catalogue).toContain(`| ${[name, summary, provider].join(' | ')} |`);
});
