import { fileURLToPath } from 'node:url';
import { Client, Connection } from '@temporalio/client';
import { NativeConnection, Worker } from '@temporalio/worker';
import Cloudflare from 'cloudflare';
import Stripe from 'stripe';
import { now } from './measure.mjs';

/** A worker and a client of the plain saga, on the stage's own server and sandbox. */
export async function plainSide(stage) {
  const { endpoints } = stage.stack;
  const credentials = await stage.sandbox.credentials('main');
  const origin = new URL(endpoints.sandbox.apiUrl);
  const stripe = new Stripe(credentials.stripe.actions, {
    host: origin.hostname,
    port: Number(origin.port),
    protocol: 'http',
  });
  const cloudflare = new Cloudflare({
    apiToken: credentials.cloudflare.actions,
    baseURL: `${endpoints.sandbox.apiUrl}/client/v4`,
  });
  const seen = new Map();
  const activities = {
    makeCustomer: async (name) => {
      seen.set(name, now());
      return (await stripe.customers.create({ email: `${name}@example.com` })).id;
    },
    makeSubscription: async (customer) => {
      await stripe.subscriptions.create({ customer, items: [{ price: 'price_starter_monthly' }] });
    },
    makeAccount: async (name) =>
      (await cloudflare.accounts.create({ name, standalone: true, 'Idempotency-Key': name })).id,
    makeDomain: async ({ account, name }) => {
      await stage.sandbox.people('main', { do: 'add-billing', account });
      await cloudflare.registrar.registrations.create({
        account_id: account,
        domain_name: `${name}.club`,
      });
    },
  };
  const connection = await NativeConnection.connect({ address: endpoints.temporalAddress });
  const worker = await Worker.create({
    connection,
    namespace: endpoints.namespace,
    taskQueue: 'plain',
    workflowsPath: fileURLToPath(new URL('./plain-workflow.mjs', import.meta.url)),
    activities,
  });
  const running = worker.run();
  const client = new Client({
    connection: await Connection.connect({ address: endpoints.temporalAddress }),
    namespace: endpoints.namespace,
  });
  const start = (name, waits = false) =>
    client.workflow.start('plain', {
      taskQueue: 'plain',
      workflowId: `plain/${name}`,
      args: [{ name, waits }],
    });
  const close = async () => {
    worker.shutdown();
    await running;
    await client.connection.close();
    await connection.close();
  };
  return { start, seen, close };
}
