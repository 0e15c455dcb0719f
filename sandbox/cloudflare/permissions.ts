import { fixedId } from './reply.js';

export type Scope = 'com.cloudflare.api.account' | 'com.cloudflare.api.account.zone';

export interface PermissionGroup {
  id: string;
  name: GroupName;
  category: 'developer_platform' | 'dns_and_zones' | 'account_and_billing' | 'other';
  scopes: Scope[];
  is_selectable: true;
}

const ACCOUNT: Scope = 'com.cloudflare.api.account';
const ZONE: Scope = 'com.cloudflare.api.account.zone';

const NAMES = {
  'Account Settings Read': ['account_and_billing', ACCOUNT],
  'Account Settings Write': ['account_and_billing', ACCOUNT],
  'Billing Read': ['account_and_billing', ACCOUNT],
  'Billing Write': ['account_and_billing', ACCOUNT],
  'Account API Tokens Read': ['account_and_billing', ACCOUNT],
  'Account API Tokens Write': ['account_and_billing', ACCOUNT],
  'Registrar Domains Read': ['other', ACCOUNT],
  'Registrar Domains Write': ['other', ACCOUNT],
  'Workers Scripts Read': ['developer_platform', ACCOUNT],
  'Workers Scripts Write': ['developer_platform', ACCOUNT],
  'Zone Read': ['dns_and_zones', ZONE],
  'Zone Write': ['dns_and_zones', ZONE],
  'DNS Read': ['dns_and_zones', ZONE],
  'DNS Write': ['dns_and_zones', ZONE],
} as const satisfies Record<string, readonly [PermissionGroup['category'], Scope]>;

export type GroupName = keyof typeof NAMES;

/** The permission groups a token's policies may name. Ids are ours: callers look them up by name. */
export const PERMISSION_GROUPS: readonly PermissionGroup[] = (
  Object.keys(NAMES) as GroupName[]
).map((name) => {
  const [category, scope] = NAMES[name];
  const id = fixedId(`permission group ${name}`);
  return { id, name, category, scopes: [scope], is_selectable: true };
});

export const groupById = (id: string): PermissionGroup | undefined =>
  PERMISSION_GROUPS.find((group) => group.id === id);

/** The groups that open what `name` opens: a Write group also reads. */
export function groupsOpening(name: GroupName): readonly string[] {
  const write = name.replace(/ Read$/, ' Write');
  return PERMISSION_GROUPS.filter((group) => group.name === name || group.name === write).map(
    (group) => group.id,
  );
}
