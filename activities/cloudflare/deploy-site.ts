import type Cloudflare from 'cloudflare';
import { z } from 'zod';
import { BUNDLE_ENTRY } from '../../domain/bundle.js';
import { Failure } from '../../domain/errors.js';
import type { Found, Operation, OperationContext, Reversal } from '../../gateway/operation.js';
import { classifyCloudflare, isMissing } from './errors.js';
import { shortMarker } from './marker.js';
import { WORKERS } from './needs.js';
import { cloudflareReaders, deploymentsOf, hostnamesOf, tagOf } from './readers.js';
import { uploadAssets, workerForm } from './upload.js';

const params = z.object({
  script: z.string(),
  bundle: z.string(),
  compatibility_date: z.string(),
  /** The version that is live before this deploy: what a reversal brings back. */
  previousVersion: z.string().optional(),
});
type Params = z.infer<typeof params>;
type Context = OperationContext<'cloudflare'>;

const made = ({ script }: Params, marker: string): Found => ({
  object: `${script}/${shortMarker(marker)}`,
  capturedMinor: 0,
  fields: { script },
});

const STEP = { step: 'deploy-site' } as const;

/** Deploys the approved bundle, byte for byte, from the store: the digest is in the action. */
export const deploySite: Operation<'cloudflare', Params> = {
  name: 'workers.scripts.upload',
  provider: 'cloudflare',
  keyed: false,
  knownBy: 'marker',
  params,
  token: () => WORKERS,
  check: async ({ client, account }, { script, previousVersion }) => {
    const live = await cloudflareReaders.liveScript(client, account, script);
    if (live?.versionId !== previousVersion)
      throw new Failure(
        'GRANT_VOID',
        `the Worker ${script} has changed since the approval: another version is live`,
        STEP,
      );
  },
  // Uploaded files are kept by their digest and show nowhere until a version names them; the PUT is what counts.
  send: async (ctx, wanted) => {
    const { client, account, marker } = ctx;
    const files = await ctx.bundle(wanted.bundle);
    const jwt = await uploadAssets(client, { account, script: wanted.script }, files);
    const form = workerForm(files, {
      entry: BUNDLE_ENTRY,
      compatibilityDate: wanted.compatibility_date,
      tag: marker,
      message: wanted.bundle,
      ...(jwt === undefined ? {} : { assetsJwt: jwt }),
    });
    // The typed call sends a form that the service refuses (code 10021), so the same client sends ours.
    await client.put(
      `/accounts/${encodeURIComponent(account)}/workers/scripts/${encodeURIComponent(wanted.script)}`,
      { body: form },
    );
    return made(wanted, marker);
  },
  find: async (ctx, wanted) =>
    (await everDeployed(ctx, wanted.script))
      ? { kind: 'found', ...made(wanted, ctx.marker) }
      : { kind: 'absent' },
  classify: classifyCloudflare,
};

/** Has a version with our tag ever been deployed? A later deploy by others does not make ours undone. */
async function everDeployed(
  { client, account, marker }: Context,
  script: string,
): Promise<boolean> {
  const versions = await deployedVersions(client, account, script);
  for (const versionId of versions)
    if ((await tagOf(client, account, script, versionId)).tag === marker) return true;
  return false;
}

/** Versions of the latest deployments, newest first, each once. */
async function deployedVersions(
  client: Cloudflare,
  account: string,
  script: string,
): Promise<readonly string[]> {
  const ids = (await deploymentsOf(client, account, script)).flatMap(({ versions }) =>
    versions.map(({ version_id: id }) => id),
  );
  return [...new Set(ids)].slice(0, 20);
}

/** First deploy: deleted again. Later: the former version comes back. */
export const restoreSite: Reversal<'cloudflare', Params> = {
  name: 'workers.scripts.restore',
  provider: 'cloudflare',
  token: () => WORKERS,
  inspect: async ({ client, account, marker }, { script, previousVersion }) => {
    const live = await cloudflareReaders.liveScript(client, account, script);
    if (live !== undefined && live.marker !== marker && live.versionId !== previousVersion)
      throw new Failure(
        'USED_BY_OTHERS',
        `the Worker ${script} was deployed again since: taking it back would take that away`,
        STEP,
      );
    if (previousVersion !== undefined) return;
    const hosts = await hostnamesOf(client, account, script);
    if (hosts.length > 0)
      throw new Failure(
        'USED_BY_OTHERS',
        `the Worker ${script} answers for ${hosts.join(', ')}, which this run did not attach`,
        STEP,
      );
  },
  reverse: async ({ client, account }, { script, previousVersion }) => {
    if (previousVersion !== undefined) {
      await client.workers.scripts.deployments.create(script, {
        account_id: account,
        strategy: 'percentage',
        versions: [{ version_id: previousVersion, percentage: 100 }],
      });
      return;
    }
    try {
      await client.workers.scripts.delete(script, { account_id: account });
    } catch (error) {
      if (!isMissing(error)) throw error;
    }
  },
  readBack: async ({ client, account }, { script, previousVersion }) => {
    const live = await cloudflareReaders.liveScript(client, account, script);
    return live?.versionId === previousVersion
      ? { done: true, refundedMinor: 0, residue: { minor: 0, text: '' } }
      : { done: false, waitMs: 500, why: `the Worker ${script} still answers with the new site` };
  },
  classify: classifyCloudflare,
};
