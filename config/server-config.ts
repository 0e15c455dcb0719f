import { z } from 'zod';

const port = z.int().min(0).max(65_535);
const secretFile = z.string().min(1).describe('path of a file that only its owner can read');

/** What Stripe calls out to, and how it is known to be Stripe. */
export const webhookConfigSchema = z.strictObject({
  /** Files of the endpoint's signing secrets; while one is rotated there are two. */
  secretFiles: z.array(secretFile).min(1).max(2),
  /** The connected account whose events are meant; absent: the platform's own. */
  account: z
    .string()
    .regex(/^acct_[A-Za-z0-9]{1,64}$/, 'write acct_…')
    .optional(),
});

/** `server` of countersign.config.yaml: where the HTTP server listens, and whose tokens it believes. */
export const serverConfigSchema = z.strictObject({
  /** As callers write it. Production only: on one's own machine it is http://localhost:PORT. */
  publicUrl: z
    .string()
    .regex(/^https:\/\/[a-z0-9.-]+(:\d{1,5})?$/, 'write https://HOST, without a path')
    .optional(),
  /** OpenID issuers, exactly as they stand in their tokens. */
  issuers: z
    .array(z.string().regex(/^https:\/\/[^\s?#]+$/, 'write https://HOST, as tokens have it'))
    .min(1)
    .max(10)
    .optional(),
  /** Whom tokens have to be for; absent: the public URL. */
  audience: z.string().min(1).max(300).optional(),
  /** The client under which the command line signs people in. */
  cliClientId: z.string().min(1).max(200).optional(),
  /** The address to listen on: 127.0.0.1 unless given. */
  host: z.union([z.ipv4(), z.ipv6()], 'write an address of this machine').optional(),
  port: port.optional(),
  /** Of `/metrics`, `/healthz` and `/readyz`. */
  metricsPort: port.optional(),
  webhook: webhookConfigSchema.optional(),
});
export type ServerConfig = z.infer<typeof serverConfigSchema>;
