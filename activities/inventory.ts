import type { InventoryReaders } from '../gateway/inventory.js';
import { cloudflareInventory } from './cloudflare/inventory.js';
import { stripeInventory } from './stripe/inventory.js';

export const inventory: InventoryReaders = {
  stripe: stripeInventory,
  cloudflare: cloudflareInventory,
};
