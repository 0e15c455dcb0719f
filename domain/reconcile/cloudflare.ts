import { compareDns, type RecordHeld } from './dns.js';
import {
  about,
  bearsOurMark,
  holder,
  isOver,
  judgeMarked,
  named,
  ofStep,
  Sheet,
  shortForm,
  textOf,
  type Compared,
  type OurEffect,
  type OurRecords,
} from './records.js';

/** The accounts that our reading credential sees. */
export interface AccountHeld {
  readonly id: string;
  readonly name: string;
}

/** What exists in one Cloudflare account, read by list. Instants in ms. */
export interface CloudflareWorld {
  readonly account: string;
  readonly zones: readonly { readonly id: string; readonly name: string }[];
  readonly registrations: readonly {
    readonly domain: string;
    readonly status: string;
    readonly autoRenew: boolean;
  }[];
  /** Of every zone. */
  readonly records: readonly RecordHeld[];
  readonly scripts: readonly {
    readonly name: string;
    readonly marker: string | undefined;
    readonly bundle: string | undefined;
  }[];
  readonly customDomains: readonly { readonly hostname: string; readonly service: string }[];
  readonly tokens: readonly {
    readonly id: string;
    readonly name: string;
    readonly active: boolean;
  }[];
}

const REGISTERED: readonly string[] = ['active', 'registration_pending', 'renewal_pending'];

/** Accounts: those we made are marked in their names; those that effects rely on must be seen. */
export function compareAccounts(records: OurRecords, accounts: readonly AccountHeld[]): Compared {
  const sheet = new Sheet();
  const effects = ofStep(records, 'link-account');
  const byMark = new Map(effects.map((effect) => [shortForm(effect.effectId), effect] as const));
  for (const { id, name } of accounts) {
    const [, mark] = /^countersign .* ([0-9a-f]{32})$/.exec(name) ?? [];
    const effect = mark === undefined ? undefined : byMark.get(mark);
    if (effect !== undefined) {
      if (effect.state !== 'moving' && effect.object !== undefined && effect.object !== id)
        sheet.find({
          name: `double/cloudflare/account/${id}`,
          kind: 'double',
          object: id,
          ...about(effect),
          text: `the account ${id} bears the mark of ${named(effect.effectId)}, which has made ${effect.object}`,
        });
    } else if (mark !== undefined)
      sheet.find({
        name: `orphan/cloudflare/account/${id}`,
        kind: 'orphan',
        object: id,
        text: `the account ${id} bears a mark of ours, and no effect on record accounts for it`,
      });
    else if (!records.accounts.has(id)) sheet.unmanaged.push({ kind: 'account', object: id });
  }
  for (const effect of effects)
    if (effect.state === 'stands' && !accounts.some(({ id }) => id === effect.object))
      sheet.find({
        name: `thing-missing/cloudflare/account/${effect.object ?? ''}`,
        kind: 'thing-missing',
        object: effect.object ?? '',
        ...about(effect),
        text: `the account ${effect.object ?? ''} of ${effect.runId} cannot be seen any more: its owner has taken the consent back, or closed it`,
      });
  return sheet;
}

/** Compares what one account holds with what is on record. Pure: reads nothing and changes nothing. */
export function compareCloudflare(records: OurRecords, world: CloudflareWorld): Compared {
  const sheet = new Sheet();
  domains(sheet, records, world);
  scripts(sheet, records, world);
  customDomains(sheet, records, world);
  compareDns(sheet, records, world);
  for (const { active, id, name } of world.tokens) {
    if (!active) continue;
    if (!bearsOurMark(records, name)) sheet.unmanaged.push({ kind: 'token', object: id });
    else if (records.tokens.get(name) !== 'live')
      sheet.find({
        name: `orphan/cloudflare/token/${id}`,
        kind: 'orphan',
        object: id,
        text: `the token ${id} bears a name of ours and works, and ${records.tokens.has(name) ? 'it is revoked on record' : 'nobody has it on record'}`,
        proposal: 'Revoke the token at Cloudflare: nothing of ours needs it.',
      });
  }
  const names = new Set(world.registrations.map(({ domain }) => domain));
  for (const { id, name } of world.zones)
    if (!names.has(name)) sheet.unmanaged.push({ kind: 'zone', object: id });
  return sheet;
}

const inAccount = (effect: OurEffect, { account }: CloudflareWorld): boolean =>
  effect.account === undefined || effect.account === account;

function domains(sheet: Sheet, records: OurRecords, world: CloudflareWorld): void {
  const effects = ofStep(records, 'register-domain').filter((one) => inAccount(one, world));
  const asked = (domain: string): readonly OurEffect[] =>
    effects.filter(({ params }) => params['domain_name'] === domain);
  for (const { autoRenew, domain, status } of world.registrations) {
    const of = asked(domain);
    // A name cannot be given back: it is ours after a mitigation as well.
    const effect = of.filter((one) => one.object === domain && one.state !== 'moving').at(-1);
    if (effect === undefined) {
      if (of.length === 0) sheet.unmanaged.push({ kind: 'domain', object: domain });
      continue;
    }
    if (autoRenew)
      sheet.find({
        name: `domain-renews/cloudflare/${domain}`,
        kind: 'domain-renews',
        object: domain,
        ...about(effect),
        text: `${domain} renews by itself, and was approved without`,
      });
    if (!REGISTERED.includes(status))
      sheet.find({
        name: `domain-gone/cloudflare/${domain}`,
        kind: 'domain-gone',
        object: domain,
        ...about(effect),
        text: `${domain} is ${status} at the registrar`,
      });
  }
  for (const effect of effects)
    if (
      effect.state === 'stands' &&
      effect.account === world.account &&
      !world.registrations.some(({ domain }) => domain === effect.object)
    )
      sheet.find({
        name: `domain-gone/cloudflare/${effect.object ?? ''}`,
        kind: 'domain-gone',
        object: effect.object ?? '',
        ...about(effect),
        text: `${effect.object ?? ''} is not registered to the account ${world.account} any more`,
      });
}

function scripts(sheet: Sheet, records: OurRecords, world: CloudflareWorld): void {
  const effects = ofStep(records, 'deploy-site').filter((one) => inAccount(one, world));
  const of = (name: string): readonly OurEffect[] =>
    effects.filter(({ params }) => params['script'] === name);
  for (const { bundle, marker, name } of world.scripts) {
    const { effect, moving } = holder(of(name));
    if (moving) continue;
    if (effect === undefined) {
      sheet.take('worker', name, orphanScript(records, world, { name, marker }));
      continue;
    }
    if (marker !== effect.effectId || bundle !== effect.params['bundle'])
      sheet.find({
        name: `site-changed/cloudflare/${world.account}/${name}`,
        kind: 'site-changed',
        object: name,
        ...about(effect),
        text: `the Worker ${name} answers with another version than the one that ${effect.runId} deployed`,
      });
  }
  const wanted = new Set(effects.map((one) => textOf(one, 'script')));
  for (const name of wanted) {
    const { effect, moving } = holder(of(name));
    if (moving || effect?.account !== world.account) continue;
    if (!world.scripts.some((script) => script.name === name))
      sheet.find({
        name: `thing-missing/cloudflare/worker/${world.account}/${name}`,
        kind: 'thing-missing',
        object: name,
        ...about(effect),
        text: `the Worker ${name} of ${effect.runId} is not there any more`,
      });
  }
}

/** No effect stands over the Worker: is it left over from one of ours? */
function orphanScript(
  records: OurRecords,
  world: CloudflareWorld,
  script: { readonly name: string; readonly marker: string | undefined },
) {
  const judged = judgeMarked(
    records,
    { id: `${world.account}/${script.name}`, marker: script.marker },
    { provider: 'cloudflare', kind: 'worker' },
  );
  // Its object on record is no id of the provider's, so two of them are no double.
  if (judged === 'outside' || judged === undefined) return judged;
  return { ...judged, kind: 'orphan', name: `orphan/cloudflare/worker/${judged.object}` };
}

function customDomains(sheet: Sheet, records: OurRecords, world: CloudflareWorld): void {
  const effects = ofStep(records, 'attach-domain').filter((one) => inAccount(one, world));
  const hostOf = (one: OurEffect): string => textOf(one, 'hostname');
  const hosts = new Set(effects.map(hostOf));
  for (const { hostname } of world.customDomains)
    if (!hosts.has(hostname)) sheet.unmanaged.push({ kind: 'custom-domain', object: hostname });
  for (const host of hosts) {
    const all = effects.filter((one) => hostOf(one) === host);
    const { effect, moving } = holder(all);
    const seen = world.customDomains.find(({ hostname }) => hostname === host);
    if (moving) continue;
    if (effect === undefined) {
      const last = all.at(-1);
      // It bears no mark, so a later one of somebody else's is not told from ours: it is listed.
      if (seen !== undefined && last !== undefined && isOver(last))
        sheet.unmanaged.push({ kind: 'custom-domain', object: host });
    } else if (effect.account === world.account && seen?.service !== effect.params['service'])
      sheet.find({
        name: `domain-detached/cloudflare/${host}`,
        kind: 'domain-detached',
        object: host,
        ...about(effect),
        text: `${host} leads to ${seen === undefined ? 'no Worker' : `the Worker ${seen.service}`}, and ${effect.runId} let it lead to ${textOf(effect, 'service')}`,
      });
  }
}
