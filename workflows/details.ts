import { gateIdOf } from '../domain/ids.js';
import type { RunState, StepReport } from '../domain/plan.js';

/** What an operator sees in the Temporal UI, in Markdown. No card, no agent's words, no address, no secret. */
export function renderDetails(state: RunState, domain: string, refused: string): string {
  const lines = [`**${state.phase}**: ${plain(state.why)}`, ''];
  if (domain !== '') lines.push(`Domain: \`${plain(domain)}\``, '');
  if (state.price !== undefined) lines.push(priceLine(state.price, state.currency), '');
  if (state.waitsFor !== undefined)
    lines.push(
      `Waits for ${plain(state.waitsFor.who)}: ${plain(state.waitsFor.what)}`,
      '',
      `    ${plain(state.waitsFor.command)}`,
      '',
    );
  if (state.openGate !== undefined) lines.push(...gateLines(state, state.openGate), '');
  if (state.steps.length > 0) {
    lines.push('| step | outcome | spent |', '|---|---|---|');
    for (const report of state.steps) lines.push(stepLine(report, state.currency));
    lines.push('', `Reserved ${money(state.reservedMinor, state.currency)}.`);
  }
  for (const { step, minor, text } of state.residue)
    lines.push('', `Left by ${step}: ${plain(text)} (${money(minor, state.currency)})`);
  for (const { text } of state.anomalies ?? []) lines.push('', `Unusual: ${plain(text)}`);
  if (refused !== '') lines.push('', `Decisions: ${plain(refused)}`);
  return lines.join('\n');
}

function priceLine(price: NonNullable<RunState['price']>, currency: string): string {
  const { firstMinor, monthlyMinor, yearlyMinor } = price;
  return `Costs at most ${money(firstMinor, currency)} now, then ${money(monthlyMinor, currency)} each month and ${money(yearlyMinor, currency)} each year.`;
}

function gateLines(state: RunState, gate: NonNullable<RunState['openGate']>): readonly string[] {
  return [
    `Gate \`${gateIdOf({ runId: state.runId, gate: gate.gate, revision: gate.revision })}\`,`,
    `digest \`${gate.digest}\`. Sign on your own machine, or by plain signal:`,
    '',
    `    countersign approve ${state.runId} --gate ${gate.gate} --key FILE --print > decision.json`,
    `    temporal workflow signal -w provision/${state.runId} --name decide --input-file decision.json`,
  ];
}

function stepLine({ step, outcome, spentMinor, note }: StepReport, currency: string): string {
  const said = note === undefined ? outcome : `${outcome}: ${plain(note)}`;
  return `| ${step} | ${said} | ${spentMinor === 0 ? '' : money(spentMinor, currency)} |`;
}

/** `12.00 USD` from minor units of a currency with two decimals. */
export function money(minor: number, currency: string): string {
  const sign = minor < 0 ? '-' : '';
  const digits = String(Math.abs(minor)).padStart(3, '0');
  return `${sign}${digits.slice(0, -2)}.${digits.slice(-2)} ${currency}`;
}

/**
 * Our own words may quote a provider's code or a person's reason: no markup, no line breaks, no address, no link, no
 * great length.
 */
function plain(text: string): string {
  return text
    .replace(/\S+@\S+/g, '(an address)')
    .replace(/\b[a-z][a-z0-9+.-]*:\/\/\S*/gi, '(a link)')
    .replace(/[^\p{L}\p{N}\p{P}\p{Zs}+=$€£]|[`|[\]<>]/gu, ' ')
    .slice(0, 400);
}
