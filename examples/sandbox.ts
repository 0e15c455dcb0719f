// The stand-ins by themselves: a purchase whose answer is lost is made once, and the truth says so.
import Stripe from 'stripe';
import { SandboxControl } from '../sandbox/control-client.js';
import { startSandbox } from '../sandbox/start.js';

const sandbox = await startSandbox({ dataDir: './sandbox-data' });
const control = new SandboxControl(sandbox);
const { stripe: keys } = await control.credentials('main');
const { hostname: host, port } = new URL(sandbox.apiUrl);
const stripe = new Stripe(keys.actions, {
  ...{ host, port, protocol: 'http' },
  // The other client of the package sends once more by itself when a connection is lost.
  httpClient: Stripe.createFetchHttpClient(),
  maxNetworkRetries: 0,
});

await control.faults('main', [
  { provider: 'stripe', method: 'POST', path: '/v1/customers', fault: 'act-then-drop' },
]);
const make = () => stripe.customers.create({ name: 'Acme' }, { idempotencyKey: 'once' });
await make().catch(() => console.log('the answer was lost'));
console.log('the same key brings', (await make()).name);
console.log('really made:', (await control.truth()).counts['stripe.customers']);
await sandbox.close();
