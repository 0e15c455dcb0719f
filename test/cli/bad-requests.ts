import { execFileSync } from 'node:child_process';
import { linkSync, mkdirSync, rmSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { ground, put, request, spoilt, usage, type Row } from './bad-ground.js';

/** Request files and site folders that must be refused. */
export const REQUEST_ROWS: Readonly<Record<string, Row>> = {
  'an unknown member': usage(
    () => request({ budjet: 'budjet: 1.00 USD' }),
    /"budjet"/,
    /did you mean budget/,
  ),
  'an unknown member deep inside': usage(
    () => request({ domain: 'domain: { name: a.club, yeers: 1 }' }),
    /domain/,
    /yeers/,
  ),
  'a member that is missing': usage(
    () => request({ budget: undefined }),
    /budget: is missing: add it/,
  ),
  'a member given twice': usage(
    () => request({ again: 'agent: other-agent' }),
    /request\.yaml:9:1/,
    /unique/,
  ),
  'an alias': usage(
    () => request({ goal: 'goal: &g x\nagain: *g' }),
    /aliases, anchors and tags/,
    /Write the value out/,
  ),
  'a tag': usage(() => request({ goal: 'goal: !!str x' }), /aliases, anchors and tags/),
  'broken YAML': usage(
    () => request({ goal: 'goal: "never closed' }),
    /request\.yaml:\d+:\d+/,
    /not valid YAML/,
  ),
  'bytes that are not UTF-8': usage(
    () => {
      writeFileSync(path.join(ground.folder, 'request.yaml'), Buffer.from([0x67, 0xff, 0xfe]));
      return ['provision', 'request.yaml'];
    },
    /request\.yaml/,
    /Save it as UTF-8/,
  ),
  'a file of 65 KiB': usage(
    () => request({ goal: `# ${'x'.repeat(66_000)}` }),
    /larger than 65536 bytes/,
  ),
  'no such file': usage(
    () => ['provision', 'nowhere.yaml'],
    /nowhere\.yaml/,
    /examples\/superseal\/request\.yaml/,
  ),
  'a folder for a file': usage(() => ['provision', '.'], /it is not a file/),
  'a list for a request': usage(
    () => {
      put('request.yaml', '- a\n- b\n');
      return ['provision', 'request.yaml'];
    },
    /request\.yaml: the request: is a list/,
    /lines like `name: value`/,
  ),
  'a budget without cents and currency': usage(
    () => request({ budget: 'budget: 60' }),
    /budget: 60 is a number/,
    /like 60\.00 USD/,
  ),
  'a budget that YAML reads as a number': usage(
    () => request({ budget: 'budget: 60.00' }),
    /budget/,
    /like 60\.00 USD/,
  ),
  'a budget without currency': usage(
    () => request({ budget: 'budget: "60.00"' }),
    /budget/,
    /like 60\.00 USD/,
  ),
  'a negative budget': usage(
    () => request({ budget: 'budget: -60.00 USD' }),
    /budget/,
    /like 60\.00 USD/,
  ),
  'fractions of a cent': usage(
    () => request({ budget: 'budget: 60.005 USD' }),
    /budget/,
    /like 60\.00 USD/,
  ),
  'an exponent': usage(() => request({ budget: 'budget: 6e1 USD' }), /budget/),
  'a thousands separator': usage(() => request({ budget: 'budget: "1,000.00 USD"' }), /budget/),
  'a currency without hundredths': usage(
    () => request({ budget: 'budget: 60.00 JPY' }),
    /budget/,
    /JPY has no hundredths/,
  ),
  'a domain with a trailing dot': usage(
    () => request({ domain: 'domain: { name: superseal.club. }' }),
    /domain\.name/,
    /ends with a dot/,
  ),
  'a domain in Cyrillic look-alikes': usage(
    () => request({ domain: 'domain: { name: supеrseal.club }' }),
    /domain\.name/,
    /exact ASCII/,
    /U\+0435/,
  ),
  'a full-width domain': usage(
    () => request({ domain: 'domain: { name: ｓuperseal.club }' }),
    /domain\.name/,
  ),
  'a Kelvin sign for a k': usage(
    () => request({ domain: 'domain: { name: super\u212alub.club }' }),
    /domain\.name/,
  ),
  'a URL for a domain': usage(
    () => request({ domain: 'domain: { name: "https://superseal.club/" }' }),
    /domain\.name/,
  ),
  'a single label': usage(
    () => request({ domain: 'domain: { name: superseal }' }),
    /domain\.name/,
    /at least two parts/,
  ),
  'half a year': usage(
    () => request({ domain: 'domain: { name: superseal.club, years: 0.5 }' }),
    /domain\.years/,
  ),
  'an environment that does not exist': usage(
    () => request({ environment: 'environment: prod' }),
    /environment/,
    /development, staging, production/,
  ),
  'a plan as an amount': usage(
    () => request({ subscription: 'subscription: { plan: 19.00 USD }' }),
    /subscription\.plan/,
    /like starter/,
  ),
  'an agent in capitals': usage(
    () => request({ agent: 'agent: Launch Agent' }),
    /agent/,
    /like launch-agent/,
  ),
  'a principal that is neither address nor id': usage(
    () => request({ principal: 'principal: me' }),
    /principal/,
    /starts with pr_/,
  ),
  'a goal with a hidden character': usage(
    () => request({ goal: 'goal: "put \\u202e online"' }),
    /goal/,
    /U\+202E/,
  ),
  'a goal with an escape sequence': usage(
    () => request({ goal: 'goal: "put \\e[2J online"' }),
    /goal/,
    /U\+001B/,
  ),
  'a goal of 501 characters': usage(
    () => request({ goal: `goal: ${'x'.repeat(501)}` }),
    /goal/,
    /longer than 500/,
  ),
  'an empty goal': usage(() => request({ goal: 'goal: ""' }), /goal/),
  'a record that is no record': usage(
    () => request({ dns: 'dns: [{ type: NS, name: "@", content: x }]' }),
    /dns\[0\]\.type/,
  ),
  'both a site and a bundle': usage(
    () => request({ bundle: `bundle: sha256:${'a'.repeat(64)}` }),
    /site/,
    /exactly one of them/,
  ),
  'neither site nor bundle': usage(() => request({ site: undefined }), /exactly one of them/),
  'a site folder that is not there': usage(
    () => request({ site: 'site: ./nowhere' }),
    /nowhere/,
    /no such site folder/,
  ),
  'a site folder that is a link': usage(() => {
    rmSync(path.join(ground.folder, 'link'), { force: true });
    symlinkSync('site', path.join(ground.folder, 'link'));
    return request({ site: 'site: ./link' });
  }, /symbolic link/),
  'a site that is a file': usage(() => request({ site: 'site: ./key.json' }), /it is not a folder/),
  'a link in the site': usage(
    () =>
      spoilt((at) => {
        symlinkSync('/etc/passwd', path.join(at, 'public/p'));
      }),
    /"public\/p" is a symbolic link/,
    /Copy the file/,
  ),
  'a hard link in the site': usage(
    () =>
      spoilt((at) => {
        linkSync(path.join(ground.folder, 'key.json'), path.join(at, 'public/k.txt'));
      }),
    /"public\/k\.txt" has a second name/,
  ),
  '.env in the site': usage(
    () =>
      spoilt((at) => {
        writeFileSync(path.join(at, 'public/.env'), 'A=1');
      }),
    /\.env/,
    /remove it/,
  ),
  'a private key in the site': usage(
    () =>
      spoilt((at) => {
        writeFileSync(path.join(at, 'public/a.txt'), `-----BEGIN RSA PRIVATE KEY-----`);
      }),
    /a\.txt/,
    /a private key/,
    /Take it out/,
  ),
  'a file of 26 MiB in the site': usage(
    () =>
      spoilt((at) => {
        writeFileSync(path.join(at, 'public/b'), '');
        truncateSync(path.join(at, 'public/b'), 26 * 2 ** 20);
      }),
    /"public\/b" is 27262976 bytes/,
    /more than 25 MiB/,
  ),
  'a Worker with a syntax error': usage(
    () =>
      spoilt((at) => {
        writeFileSync(path.join(at, 'worker.mjs'), 'export default {');
      }),
    /worker\.mjs/,
    /syntax error at line 1/,
  ),
  'a site that climbs out with ..': usage(
    () =>
      spoilt((at) => {
        mkdirSync(path.join(at, 'public/a'));
        symlinkSync('../../..', path.join(at, 'public/a/up'));
      }),
    /public\/a\/up/,
  ),
  'a site outside, by way of ..': usage(() => {
    put('outside/notes.txt', 'not a site');
    return request({ site: 'site: ./site/../outside' });
  }, /"notes\.txt" is neither worker\.mjs nor in public\//),
  'a file beside the Worker': usage(
    () =>
      spoilt((at) => {
        writeFileSync(path.join(at, 'package.json'), '{}');
      }),
    /"package\.json" is neither worker\.mjs nor in public\//,
  ),
  'a pipe in the site': usage(
    () =>
      spoilt((at) => {
        execFileSync('mkfifo', [path.join(at, 'public/pipe')]);
      }),
    /"public\/pipe" is a device, a pipe or a socket/,
    /Remove it/,
  ),
  'a name that climbs on another system': usage(
    () =>
      spoilt((at) => {
        writeFileSync(path.join(at, 'public', '..\\up.txt'), 'x');
      }),
    /up\.txt/,
    /rename/,
  ),
  'two names that are one where case does not count': usage(
    () =>
      spoilt((at) => {
        for (const name of ['a.txt', 'A.txt']) writeFileSync(path.join(at, 'public', name), 'x');
      }),
    /are one name where case does not count/,
    /rename one/,
  ),
  'a Stripe key in the site': usage(
    () =>
      spoilt((at) => {
        writeFileSync(path.join(at, 'public/a.js'), `const k = 'sk_live_${'a'.repeat(24)}';`);
      }),
    /a\.js/,
    /a Stripe secret key/,
    /revoke it/,
  ),
  'a site without a Worker': usage(
    () =>
      spoilt((at) => {
        rmSync(path.join(at, 'worker.mjs'));
      }),
    /there is no worker\.mjs/,
  ),
  'a bundle that nobody stored': usage(
    () => request({ site: undefined, bundle: `bundle: sha256:${'a'.repeat(64)}` }),
    /no bundle sha256:a+ is stored here/,
    /Name the folder with `site:`/,
  ),
  'an agent that nobody answers for': usage(
    () => request({ agent: 'agent: stranger' }),
    /the agent stranger is not registered/,
    /countersign agents add stranger --owner/,
  ),
  'a budget of whole dollars': usage(
    () => request({ budget: 'budget: 60 USD' }),
    /budget/,
    /like 60\.00 USD/,
  ),
  'one digit of cents': usage(
    () => request({ budget: 'budget: 60.5 USD' }),
    /budget/,
    /like 60\.00 USD/,
  ),
};
