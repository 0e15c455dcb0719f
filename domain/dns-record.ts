import { domainNameProblem, foldAscii } from './domain-name.js';

export const DNS_TYPES = ['A', 'AAAA', 'CNAME', 'TXT'] as const;
export type DnsType = (typeof DNS_TYPES)[number];

export interface DnsRecord {
  readonly type: DnsType;
  /** `@`, a name within the domain such as `www`, or the full name. */
  readonly name: string;
  readonly content: string;
  /** Seconds; absent: chosen by the provider. */
  readonly ttl?: number | undefined;
}

const LABEL = /^(\*|_?[a-z0-9]([a-z0-9_-]{0,61}[a-z0-9])?)$/;
const IPV4 = /^((25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)(\.(?!$)|$)){4}$/;
const TXT = /^[ -~]{1,500}$/;

/** The full name of a record, or undefined when it is none within `domain`. */
export function recordNameOf(name: string, domain: string): string | undefined {
  const folded = foldAscii(name);
  if (folded === '@' || folded === domain) return domain;
  const full = folded.endsWith(`.${domain}`) ? folded : `${folded}.${domain}`;
  const inner = full.slice(0, -domain.length - 1).split('.');
  const wildcard = inner.indexOf('*');
  return full.length <= 253 && inner.every((label) => LABEL.test(label)) && wildcard <= 0
    ? full
    : undefined;
}

/** Seconds; the provider's own choice. */
const TTL_AUTOMATIC = 1;

/** The records that a request names, in full: exactly the parameters of `configure-dns`. */
export function recordsOf(request: {
  readonly domain: { readonly name: string };
  readonly dns: readonly DnsRecord[];
}): { type: DnsType; name: string; content: string; ttl: number }[] {
  const domain = request.domain.name;
  return request.dns.map(({ type, name, content, ttl }) => ({
    type,
    name: recordNameOf(name, domain) ?? domain,
    content,
    ttl: ttl ?? TTL_AUTOMATIC,
  }));
}

/** What keeps a record from being asked for under `domain`, with the member it is about, or undefined. */
export function dnsRecordProblem(
  record: DnsRecord,
  domain: string,
): { readonly member: 'name' | 'content'; readonly message: string } | undefined {
  const full = recordNameOf(record.name, domain);
  if (full === undefined)
    return {
      member: 'name',
      message: `write @, a name like www, or a name that ends in .${domain}`,
    };
  if (full === domain && record.type !== 'TXT')
    return {
      member: 'name',
      message: `${domain} itself is answered by the site: only TXT records may stand there`,
    };
  const message = contentProblem(record);
  return message === undefined ? undefined : { member: 'content', message };
}

function contentProblem({ type, content }: DnsRecord): string | undefined {
  switch (type) {
    case 'A':
      return IPV4.test(content) ? undefined : 'an A record holds an IPv4 address like 192.0.2.1';
    case 'AAAA':
      return isIpv6(content) ? undefined : 'an AAAA record holds an IPv6 address like 2001:db8::1';
    case 'CNAME':
      return domainNameProblem(content) === undefined
        ? undefined
        : 'a CNAME record holds a domain name, without a dot at its end';
    case 'TXT':
      return TXT.test(content)
        ? undefined
        : 'a TXT record holds 1 to 500 printable ASCII characters';
  }
}

function isIpv6(text: string): boolean {
  const halves = text.split('::');
  if (halves.length > 2) return false;
  const groups = halves.flatMap((half) => (half === '' ? [] : half.split(':')));
  if (!groups.every((group) => /^[0-9a-fA-F]{1,4}$/.test(group))) return false;
  return halves.length === 2 ? groups.length <= 7 : groups.length === 8;
}
