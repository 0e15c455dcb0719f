import { chmodSync } from 'node:fs';
import path from 'node:path';
import { ground, put, request, unreachable, usage, type Row } from './bad-ground.js';

/** Calls, key files, configurations and addresses that must be refused. */
export const CALL_ROWS: Readonly<Record<string, Row>> = {
  'a run id in capitals': usage(
    () => [...request({}), '--run-id', 'Launch-7'],
    /run id "Launch-7"/,
    /like launch-7/,
  ),
  'a run id with a slash': usage(() => [...request({}), '--run-id', '../x'], /run id/),
  'a run id of 64 characters': usage(() => ['show', 'a'.repeat(64)], /run id/),
  'a phase that does not exist': usage(
    () => ['runs', '--phase', 'done'],
    /--phase "done"/,
    /completed/,
  ),
  'a role that does not exist': usage(
    () => ['worker', '--role', 'boss'],
    /--role "boss"/,
    /workflows, actions, compensations, all/,
  ),
  'other root keys where none are pinned': usage(
    () => ['worker', '--role', 'actions', '--recover'],
    /--recover is for `mode: production`/,
  ),
  'other root keys for a worker without the database': usage(
    () => ['worker', '--role', 'workflows', '--recover'],
    /--recover is for a worker that holds the database/,
  ),
  'a port that is none': usage(
    () => ['sandbox', '--api-port', '70000'],
    /--api-port "70000"/,
    /0 .*65535/,
  ),
  'a port of the server that is none': usage(
    () => ['server', '--metrics-port', '-1'],
    /--metrics-port "-1"/,
    /0 .*65535/,
  ),
  'an unknown verb': usage(() => ['aprove', 'x'], /Unknown command 'aprove'/, /approve/),
  'an unknown option': usage(() => ['runs', '--fase', 'x'], /Unknown option '--fase'/, /--phase/),
  'an argument too many': usage(
    () => ['show', 'a', 'b'],
    /[Tt]oo many arguments/,
    /countersign show --help/,
  ),
  'an argument too few': usage(
    () => ['approve'],
    /Missing required argument 'run'/,
    /countersign approve --help/,
  ),
  'a reject without a reason': usage(() => ['reject', 'launch-7'], /--reason/),
  'an approval without a key': usage(
    () => ['approve', 'launch-7'],
    /--key names no key file/,
    /countersign keys new/,
  ),
  'an approval without a terminal': usage(
    () => ['approve', 'launch-7', '--key', 'key.json'],
    /a person at a terminal/,
    /not from a pipe/,
  ),
  'a break-glass without a reason': usage(
    () => ['break-glass', 'launch-7', '--minutes', '5', '--key', 'key.json'],
    /--reason/,
  ),
  'a break-glass without its minutes': usage(
    () => ['break-glass', 'launch-7', '--reason', 'nobody answers', '--key', 'key.json'],
    /--minutes/,
  ),
  'a break-glass of more than an hour': usage(
    () => ['break-glass', 'launch-7', '--reason', 'nobody answers', '--minutes', '61'],
    /--minutes "61"/,
    /as few as will do/,
  ),
  'a break-glass of half a minute': usage(
    () => ['break-glass', 'launch-7', '--reason', 'nobody answers', '--minutes', '0.5'],
    /--minutes "0\.5"/,
  ),
  'a break-glass for a reason that says nothing': usage(
    () => ['break-glass', 'launch-7', '--reason', 'because', '--minutes', '5'],
    /at least ten characters/,
    /whoever reviews it/,
  ),
  'a break-glass without a key': usage(
    () => ['break-glass', 'launch-7', '--reason', 'nobody answers', '--minutes', '5'],
    /--key names no key file/,
  ),
  'a break-glass without a terminal': usage(
    () => 'break-glass launch-7 --reason unreachable --minutes 5 --key key.json'.split(' '),
    /a person at a terminal/,
  ),
  'a key file without a terminal': usage(
    () => ['keys', 'new', 'fresh.json'],
    /a person at a terminal/,
  ),
  'a delegation of no amount': usage(
    () => ['delegations', 'add', '--agent', 'a', '--ceiling', '60', '--until', '2099-01-01'],
    /--ceiling "60"/,
    /60\.00 USD/,
  ),
  'a teardown of an id that is none': usage(() => ['teardown', '../x'], /run id/),
  'a teardown under an id that is none': usage(
    () => ['teardown', 'launch-7', '--run-id', 'Gone'],
    /run id "Gone"/,
  ),
  'a delegation that is over already': usage(
    () => ['delegations', 'add', '--agent', 'a', '--ceiling', '1.00 USD', '--until', '2001-01-01'],
    /"2001-01-01" is past already/,
  ),
  'a delegation until no day': usage(
    () => ['delegations', 'add', '--agent', 'a', '--ceiling', '1.00 USD', '--until', '2099-02-31'],
    /"2099-02-31" is no day/,
  ),
  'a delegation of no step': usage(
    () => [
      ...['delegations', 'add', '--agent', 'a', '--ceiling', '1.00 USD'],
      ...['--until', '2099-01-01', '--step', 'verify-site'],
    ],
    /"verify-site" is no step/,
    /register-domain/,
  ),
  'a delegation that nobody gave': usage(
    () => ['delegations', 'revoke', 'd_0000000000000000'],
    /no delegation "d_0000000000000000"/,
    /countersign delegations list/,
  ),
  'an account that nobody signs for': usage(
    () => ['people', 'link', 'p_x', '--iss', 'https://login.example.com', '--sub', 'x'],
    /--key names no key file/,
  ),
  'an account of an issuer that is none': usage(
    () => ['people', 'link', 'p_x', '--iss', 'login', '--sub', 'x', '--key', 'key.json'],
    /iss is not of the form/,
    /countersign people link --help/,
  ),
  'a person who is not there': usage(
    () => ['people', 'deactivate', 'p_nobody', '--reason', 'x'],
    /no person "p_nobody"/,
    /countersign people/,
  ),
  'an agent that is not there': usage(
    () => ['agents', 'suspend', 'no-agent', '--reason', 'x'],
    /no agent "no-agent"/,
    /countersign agents list/,
  ),
  'lists of an agent that are not whole': usage(
    () => ['agents', 'allow', 'launch-agent', '--principal', '*'],
    /the lists are given whole/,
    /countersign agents allow --help/,
  ),
  'lists of an agent, and nothing as well': usage(
    () => ['agents', 'allow', 'launch-agent', '--nothing', '--environment', '*'],
    /or --nothing alone/,
  ),
  'lists of an agent that is not there': usage(
    () => ['agents', 'allow', 'no-agent', '--nothing'],
    /no agent "no-agent"/,
    /countersign agents list/,
  ),
  'an agent that is turned on and not there': usage(
    () => ['agents', 'on', 'no-agent'],
    /no agent "no-agent"/,
  ),
  'a service key for a principal who is not there': usage(
    () => [
      ...['services', 'new', 's_x', '--file', 'x.json', '--agent', '*'],
      ...['--principal', 'nobody@example.com', '--environment', 'staging'],
    ],
    /no principal "nobody@example\.com"/,
    /countersign principals add/,
  ),
  'a service key for an environment that is none': usage(
    () => [
      ...['services', 'new', 's_x', '--file', 'x.json', '--agent', '*'],
      ...['--principal', '*', '--environment', 'prod'],
    ],
    /--environment "prod" is none of development, staging, production/,
  ),
  'an account of a service that nobody signs for': usage(
    () => ['services', 'link', 's_x', '--iss', 'https://login.example.com', '--sub', 'x'],
    /--key names no key file/,
  ),
  'an account that a service does not have': usage(
    () => ['services', 'unlink', 's_x', '--iss', 'https://login.example.com', '--sub', 'x'],
    /"s_x" has no such account/,
  ),
  'a service key that is not there': usage(
    () => ['services', 'revoke', 'x', '--reason', 'x'],
    /no service key "x"/,
    /countersign services list/,
  ),
  'a stop over nothing': usage(() => ['stop', '--reason', 'x'], /what to stop or resume/, /--all/),
  'a stop over two scopes': usage(
    () => ['stop', '--all', '--run', 'a', '--reason', 'x'],
    /two scopes/,
  ),
  'a stop that pauses subscriptions where there are none': usage(
    () => ['stop', '--provider', 'cloudflare', '--pause-subscriptions', '--reason', 'x'],
    /nobody subscribes at cloudflare/,
    /--provider stripe/,
  ),
  'a resume that pauses': usage(
    () => ['resume', '--all', '--pause-subscriptions', '--reason', 'x'],
    /Unknown option '--pause-subscriptions'/,
  ),
  'a stop over a provider that is none': usage(
    () => ['stop', '--provider', 'paypal', '--reason', 'x'],
    /"provider\/paypal"/,
    /stripe or cloudflare/,
  ),
  'a resolve of no step': usage(
    () => ['resolve', 'a', '--step', 'x', '--retry', '--reason', 'x'],
    /--step "x"/,
    /start-subscription/,
  ),
  'a resolve in two ways': usage(
    () => ['resolve', 'a', '--step', 'deploy-site', '--retry', '--give-up', '--reason', 'x'],
    /exactly one way/,
  ),
  'a configuration file that is not there': usage(
    () => ['runs', '--config', 'nowhere.yaml'],
    /nowhere\.yaml/,
  ),
  'a configuration with an unknown key': usage(
    () => {
      put('bad.yaml', 'mode: embedded\nport: 1\n');
      return ['runs', '--config', 'bad.yaml'];
    },
    /bad\.yaml:2:1/,
    /unknown key "port"/,
  ),
  'live providers by configuration alone': usage(() => {
    put('live.yaml', 'providers: live\n');
    return ['runs', '--config', 'live.yaml'];
  }, /COUNTERSIGN_LIVE=1/),
  'a service key that is a request': {
    ...usage(
      () => [...request({}), '--service-key', 'request.yaml'],
      /request\.yaml/,
      /service key/,
    ),
    variables: () => ({ COUNTERSIGN_TEMPORAL_ADDRESS: '127.0.0.1:1' }),
  },
  'a service key that others may read': {
    ...usage(
      () => {
        chmodSync(path.join(ground.folder, 'service.json'), 0o640);
        return [...request({}), '--service-key', 'service.json'];
      },
      /service\.json/,
      /chmod 600/,
    ),
    variables: () => ({ COUNTERSIGN_TEMPORAL_ADDRESS: '127.0.0.1:1' }),
  },
  'a Temporal address that is none': {
    ...usage(() => ['runs'], /COUNTERSIGN_TEMPORAL_ADDRESS/, /HOST:PORT/),
    variables: () => ({ COUNTERSIGN_TEMPORAL_ADDRESS: 'localhost' }),
  },
  'a database address that is none': {
    ...usage(() => ['inbox'], /COUNTERSIGN_DATABASE_URL/, /postgresql:\/\/USER/),
    variables: () => ({ COUNTERSIGN_DATABASE_URL: 'mysql://x' }),
  },
  'a run that does not exist': usage(
    () => ['show', 'no-such-run'],
    /no-such-run/,
    /countersign runs/,
  ),
  'a question about a run that does not exist': usage(
    () => ['why', 'no-such-run'],
    /no-such-run/,
    /countersign runs/,
  ),
  'a month that is none': usage(
    () => ['ledger', '--month', '2026-13'],
    /--month "2026-13"/,
    /2026-11/,
  ),
  'a case that is no number': usage(
    () => ['cases', 'show', 'seven'],
    /"seven" is no case/,
    /countersign cases list --all/,
  ),
  'a case that does not exist': usage(
    () => ['cases', 'show', '999999'],
    /there is no case 999999/,
    /countersign cases list --all/,
  ),
  'a kind of case that does not exist': usage(
    () => ['cases', '--kind', 'trouble'],
    /--kind "trouble"/,
    /docs\/cases\.md/,
  ),
  'a case closed without a key': usage(
    () => ['cases', 'close', '1', '--reason', 'done'],
    /--key names no key file/,
  ),
  'a case closed without a reason': usage(() => ['cases', 'close', '1'], /--reason/),
  'a good request while Temporal refuses connections': unreachable(
    () => request({}),
    () => ({ COUNTERSIGN_TEMPORAL_ADDRESS: '127.0.0.1:1' }),
    /127\.0\.0\.1:1/,
    /countersign up/,
  ),
  'a good request while the database refuses connections': unreachable(
    () => request({}),
    () => ({ COUNTERSIGN_DATABASE_URL: 'postgresql://a:hunter2@127.0.0.1:1/x' }),
    /127\.0\.0\.1:1\/x/,
    /countersign up/,
  ),
  'no stack at all': unreachable(
    () => ['runs'],
    () => ({ COUNTERSIGN_DATA: path.join(ground.folder, 'data') }),
    /no stack was started/,
    /countersign up/,
  ),
  'a Temporal that refuses connections': unreachable(
    () => ['runs'],
    () => ({ COUNTERSIGN_TEMPORAL_ADDRESS: '127.0.0.1:1' }),
    /127\.0\.0\.1:1/,
    /countersign up/,
  ),
  'a Temporal that says nothing': unreachable(
    () => ['runs'],
    () => ({ COUNTERSIGN_TEMPORAL_ADDRESS: `127.0.0.1:${ground.silentPort}` }),
    /no Temporal server answers/,
  ),
  'a database that refuses connections': unreachable(
    () => ['inbox'],
    () => ({ COUNTERSIGN_DATABASE_URL: 'postgresql://a:hunter2@127.0.0.1:1/x' }),
    /127\.0\.0\.1:1\/x/,
    /countersign up/,
  ),
  'a database that says nothing': unreachable(
    () => ['inbox'],
    () => ({ COUNTERSIGN_DATABASE_URL: `postgresql://a:hunter2@127.0.0.1:${ground.silentPort}/x` }),
    /does not answer/,
  ),
  'a database without our tables': unreachable(
    () => ['inbox'],
    () => ({ COUNTERSIGN_DATABASE_URL: ground.empty.url }),
    /no tables of ours/,
    /countersign migrate/,
  ),
  'a database without a policy': unreachable(
    () => ['ledger'],
    () => ({ COUNTERSIGN_DATABASE_URL: ground.migrated.url }),
    /no policy is in force/,
    /everything is denied/,
    /countersign up/,
  ),
};
