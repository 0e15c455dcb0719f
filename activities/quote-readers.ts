import type { QuoteReaders } from '../gateway/readers.js';
import { cloudflareReaders } from './cloudflare/readers.js';
import { stripeReaders } from './stripe/readers.js';

export const quoteReaders: QuoteReaders = { stripe: stripeReaders, cloudflare: cloudflareReaders };
