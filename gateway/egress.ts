import { createHash } from 'node:crypto';
import { lookup } from 'node:dns/promises';
import * as http from 'node:http';
import * as https from 'node:https';
import * as net from 'node:net';
import { Failure } from '../domain/errors.js';

/**
 * The one way out to addresses that no provider's SDK fixes (SECURITY: one way out). HTTPS on port 443, the name
 * resolved once and connected to that very address, no private ranges, no redirects, no proxy, 10 s, 1 MiB.
 * Only status, digest and length leave it: never the bytes, so that nothing of an answer reaches an agent.
 */
export interface EgressAnswer {
  readonly status: number;
  /** `sha256:<hex>` over the whole body. */
  readonly digest: string;
  readonly bytes: number;
}

/** What is sent, where something is sent: without it a page is asked for. */
export interface EgressMessage {
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

export type Egress = (url: string, message?: EgressMessage) => Promise<EgressAnswer>;

export interface EgressOptions {
  /**
   * Origin of the sandbox's edge on loopback: every request goes there, with the site's own name as Host.
   * Embedded only; absent in production.
   */
  readonly edgeOverride?: string;
  /** Ports beside 443 that the configuration names. */
  readonly ports?: readonly number[];
  readonly timeoutMs?: number;
  readonly maxBytes?: number;
  /** Name look-up; the system's own unless a test gives another. */
  readonly resolve?: (hostname: string) => Promise<readonly string[]>;
}

const TIMEOUT_MS = 10_000;
const MAX_BYTES = 1024 * 1024;

/** Ranges that no public site lives in: private, loopback, link-local, CGNAT, multicast, reserved, mapped, tunnels. */
// One list a family: a single one would take every IPv4 address for its mapped IPv6 form.
const REFUSED = { ipv4: new net.BlockList(), ipv6: new net.BlockList() };
for (const [address, prefix] of [
  ['0.0.0.0', 8],
  ['10.0.0.0', 8],
  ['100.64.0.0', 10],
  ['127.0.0.0', 8],
  ['169.254.0.0', 16],
  ['172.16.0.0', 12],
  ['192.0.0.0', 24],
  ['192.0.2.0', 24],
  ['192.88.99.0', 24],
  ['192.168.0.0', 16],
  ['198.18.0.0', 15],
  ['198.51.100.0', 24],
  ['203.0.113.0', 24],
  ['224.0.0.0', 4],
  ['240.0.0.0', 4],
] as const)
  REFUSED.ipv4.addSubnet(address, prefix, 'ipv4');
for (const [address, prefix] of [
  ['::', 96],
  ['::ffff:0:0', 96],
  ['64:ff9b::', 96],
  ['64:ff9b:1::', 48],
  ['100::', 64],
  ['2001::', 23],
  ['2001:db8::', 32],
  ['2002::', 16],
  ['fc00::', 7],
  ['fe80::', 10],
  ['ff00::', 8],
] as const)
  REFUSED.ipv6.addSubnet(address, prefix, 'ipv6');

/** May we connect to this address? */
export function isPublicAddress(address: string): boolean {
  if (net.isIP(address) === 0) return false;
  const family = net.isIP(address) === 4 ? 'ipv4' : 'ipv6';
  return !REFUSED[family].check(address, family);
}

/** Makes the one way out. Its answers throw OUTCOME_UNKNOWN (no answer) or REQUEST_INVALID (an address we refuse). */
export function createEgress(options: EgressOptions = {}): Egress {
  return async (text, message) => {
    const url = new URL(text);
    const port = url.port === '' ? 443 : Number(url.port);
    const allowed = port === 443 || options.ports?.includes(port) === true;
    if (url.protocol !== 'https:' || !allowed || url.username !== '' || url.password !== '')
      throw new Failure(
        'REQUEST_INVALID',
        'only https on port 443 or one that the configuration names, without credentials, is asked',
      );
    const target =
      options.edgeOverride === undefined
        ? { address: await publicAddressOf(url.hostname, options), tls: true, port }
        : edgeTarget(options.edgeOverride);
    return ask(url, target, { ...options, ...(message === undefined ? {} : { message }) });
  };
}

interface Target {
  readonly address: string;
  readonly tls: boolean;
  readonly port: number;
}

function edgeTarget(origin: string): Target {
  const edge = new URL(origin);
  if (edge.protocol !== 'http:' || edge.hostname !== '127.0.0.1')
    throw new Failure('REQUEST_INVALID', 'the edge override must be http on 127.0.0.1');
  return { address: edge.hostname, tls: false, port: Number(edge.port) };
}

async function publicAddressOf(hostname: string, options: EgressOptions): Promise<string> {
  const resolve =
    options.resolve ??
    (async (name: string) => (await lookup(name, { all: true })).map(({ address }) => address));
  const literal = hostname.replace(/^\[|\]$/g, '');
  let addresses: readonly string[];
  try {
    addresses = net.isIP(literal) === 0 ? await resolve(hostname) : [literal];
  } catch {
    throw new Failure('OUTCOME_UNKNOWN', `${hostname} has no address yet`);
  }
  // One refused address is enough: a name that points both ways is a rebinding attempt.
  if (addresses.length === 0 || !addresses.every(isPublicAddress))
    throw new Failure('REQUEST_INVALID', `${hostname} does not lead to a public address`);
  return addresses[0] ?? '';
}

/** Reads a JSON document of the configuration's own address, such as an issuer's keys. */
export type DocumentReader = (url: string) => Promise<unknown>;

/**
 * The same way out for documents that this process itself needs. `loopback` is the one origin on 127.0.0.1 that may be
 * asked, the sandbox's issuer; embedded only. @throws REQUEST_INVALID, OUTCOME_UNKNOWN
 */
export function createDocumentReader(
  options: Omit<EgressOptions, 'edgeOverride'> & { readonly loopback?: string },
): DocumentReader {
  return async (text) => {
    const url = new URL(text);
    const kept: Buffer[] = [];
    const own = options.loopback !== undefined && url.origin === options.loopback;
    // guard: nothing but https to a public address, unless it is the very origin that was configured.
    if (!own && (url.protocol !== 'https:' || url.username !== '' || url.password !== ''))
      throw new Failure('REQUEST_INVALID', 'only https, without credentials, is asked');
    const target = own
      ? edgeTarget(url.origin)
      : {
          address: await publicAddressOf(url.hostname, options),
          tls: true,
          port: url.port === '' ? 443 : Number(url.port),
        };
    const { status } = await ask(url, target, { ...options, kept });
    if (status !== 200)
      throw new Failure('OUTCOME_UNKNOWN', `${url.origin} answered ${status} instead of 200`);
    try {
      return JSON.parse(Buffer.concat(kept).toString('utf8')) as unknown;
    } catch {
      throw new Failure('OUTCOME_UNKNOWN', `${url.origin} answered no JSON`);
    }
  };
}

function ask(
  url: URL,
  target: Target,
  options: EgressOptions & { readonly message?: EgressMessage; readonly kept?: Buffer[] },
): Promise<EgressAnswer> {
  const { kept, message } = options;
  const maxBytes = options.maxBytes ?? MAX_BYTES;
  return new Promise((resolve, reject) => {
    const unknown = (why: string): void => {
      clearTimeout(timer);
      request.destroy();
      reject(
        new Failure('OUTCOME_UNKNOWN', `https://${url.hostname} gave no whole answer: ${why}`),
      );
    };
    const settings = {
      host: target.address,
      port: target.port,
      path: `${url.pathname}${url.search}`,
      method: message === undefined ? 'GET' : 'POST',
      agent: false,
      headers: {
        ...message?.headers,
        ...(message === undefined ? {} : { 'content-length': Buffer.byteLength(message.body) }),
        host: url.host,
        'user-agent': 'countersign',
        accept: '*/*',
        connection: 'close',
      },
    };
    const request = target.tls
      ? https.request({ ...settings, servername: url.hostname })
      : http.request(settings);
    const timer = setTimeout(() => {
      unknown('it took too long');
    }, options.timeoutMs ?? TIMEOUT_MS);
    request.on('error', (error: NodeJS.ErrnoException) => {
      unknown(error.code ?? 'the connection failed');
    });
    request.on('response', (response) => {
      const hash = createHash('sha256');
      let bytes = 0;
      response.on('data', (chunk: Buffer) => {
        bytes += chunk.length;
        if (bytes > maxBytes) unknown(`more than ${maxBytes} bytes`);
        else {
          hash.update(chunk);
          kept?.push(chunk);
        }
      });
      response.on('aborted', () => {
        unknown('the connection broke');
      });
      response.on('end', () => {
        if (!response.complete || bytes > maxBytes) return;
        clearTimeout(timer);
        resolve({
          status: response.statusCode ?? 0,
          digest: `sha256:${hash.digest('hex')}`,
          bytes,
        });
      });
    });
    request.end(message?.body);
  });
}
