// A gateway for a process of its own that opens gates and sends nothing to any provider. Part of no build.
import { createGateway, createParts } from '../../dist/gateway/create-gateway.js';
import { createDoor } from '../../dist/gateway/door.js';

export function bareGateway(db, instance) {
  const parts = createParts({
    db,
    door: createDoor(db),
    instance,
    operations: [],
    readers: {},
    providers: 'sandbox',
    credentials: {},
    settling: { stripe: 1_000, cloudflare: 1_000 },
    egress: () => Promise.reject(new Error('nothing is fetched')),
  });
  return { parts, gateway: createGateway(parts) };
}
