import type { TokenNeed } from '../../gateway/cloudflare/tokens.js';

/**
 * The narrowest policy for what an operation sends. Workers and the registrar have no narrower resource than the
 * account; records have their zone. A group that writes also reads.
 */
export const WORKERS: TokenNeed = { purpose: 'workers', groups: ['Workers Scripts Write'] };

export const REGISTRAR: TokenNeed = { purpose: 'registrar', groups: ['Registrar Domains Write'] };

export const dnsOf = (zone: string): TokenNeed => ({
  purpose: 'dns',
  groups: ['DNS Write'],
  zone,
});
