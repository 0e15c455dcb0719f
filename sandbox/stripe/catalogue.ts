import { z } from 'zod';
import { route } from './call.js';
import type { Call, Route } from './call.js';
import { newPrice, newProduct } from './catalogue-objects.js';
import { listOf } from './lists.js';
import { bool, int, mergeMetadata, metadata, paging, text } from './params.js';
import { invalid } from './problem.js';

function freeLookupKey(call: Call, key: string | undefined, transfer: boolean): void {
  const holder = Object.values(call.state.prices).find((price) => price.lookup_key === key);
  if (key === undefined || holder === undefined) return;
  if (!transfer) {
    throw invalid(
      `A price (${holder.id}) already uses that lookup key.`,
      'lookup_key',
      'resource_already_exists',
    );
  }
  holder.lookup_key = null;
}

const products: readonly Route[] = [
  route('POST', '/v1/products', {
    params: {
      name: text,
      id: text.optional(),
      active: bool.optional(),
      description: text.optional(),
      metadata: metadata.optional(),
    },
    notDone: ['default_price_data', 'images', 'tax_code', 'statement_descriptor', 'unit_label'],
    run: (call, given) => {
      const id = given.id ?? call.id('prod');
      if (Object.hasOwn(call.state.products, id)) {
        throw invalid('Product already exists.', 'id', 'resource_already_exists');
      }
      const product = newProduct(id, call.now, given.name);
      product.active = given.active ?? true;
      product.description = given.description ?? null;
      product.metadata = mergeMetadata({}, given.metadata);
      call.state.products[id] = product;
      return product;
    },
  }),
  route('GET', '/v1/products/:id', {
    params: {},
    run: (call) => call.see('products', 'product'),
  }),
  route('GET', '/v1/products', {
    params: { ...paging, active: bool.optional() },
    notDone: ['ids', 'shippable', 'url'],
    run: (call, { active, ...page }) => {
      const wanted = Object.values(call.state.products).filter(
        (product) => active === undefined || product.active === active,
      );
      return listOf(call, '/v1/products', wanted, page);
    },
  }),
];

const prices: readonly Route[] = [
  route('POST', '/v1/prices', {
    params: {
      currency: text,
      product: text,
      unit_amount: int,
      active: bool.optional(),
      lookup_key: text.max(200).optional(),
      metadata: metadata.optional(),
      nickname: text.optional(),
      recurring: z
        .strictObject({
          interval: z.enum(['day', 'week', 'month', 'year']),
          interval_count: int.optional(),
        })
        .optional(),
      transfer_lookup_key: bool.optional(),
    },
    notDone: ['product_data', 'tiers', 'tiers_mode', 'currency_options', 'unit_amount_decimal'],
    run: (call, given) => {
      const { id: product } = call.find('products', 'product', given.product, 'product');
      if (given.unit_amount < 0) throw invalid('Invalid non-negative integer', 'unit_amount');
      freeLookupKey(call, given.lookup_key, given.transfer_lookup_key ?? false);
      const price = newPrice(call.id('price'), call.now, {
        product,
        currency: given.currency.toLowerCase(),
        unitAmount: given.unit_amount,
        interval: given.recurring?.interval ?? null,
        intervalCount: given.recurring?.interval_count,
        lookupKey: given.lookup_key,
        nickname: given.nickname,
        active: given.active,
        metadata: mergeMetadata({}, given.metadata),
      });
      call.state.prices[price.id] = price;
      return price;
    },
  }),
  route('GET', '/v1/prices/:id', {
    params: {},
    run: (call) => call.see('prices', 'price'),
  }),
  route('GET', '/v1/prices', {
    params: {
      ...paging,
      active: bool.optional(),
      currency: text.optional(),
      lookup_keys: z.array(text).max(10).optional(),
      product: text.optional(),
      type: z.enum(['recurring', 'one_time']).optional(),
    },
    notDone: ['recurring'],
    run: (call, { active, currency, lookup_keys: keys, product, type, ...page }) => {
      const wanted = Object.values(call.state.prices).filter(
        (price) =>
          (active === undefined || price.active === active) &&
          (currency === undefined || price.currency === currency) &&
          (keys === undefined || keys.includes(price.lookup_key ?? '')) &&
          (product === undefined || price.product === product) &&
          (type === undefined || price.type === type),
      );
      return listOf(call, '/v1/prices', wanted, page);
    },
  }),
];

export const catalogueRoutes: readonly Route[] = [...products, ...prices];
