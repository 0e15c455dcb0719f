/** Where passkeys of this installation sign: what the configuration says, and nobody else. */
export interface RelyingParty {
  /** E.g. `countersign.example`, or `localhost`. */
  readonly rpId: string;
  /** Each with scheme, host and port, as a browser writes it: `https://countersign.example`. */
  readonly origins: readonly string[];
}

/** What only the configuration may say about whose signatures count. */
export interface Trust {
  /** Absent: no passkey counts here. */
  readonly relyingParty?: RelyingParty;
  /** Key ids of the pinned root keys. Empty, as on one's own machine: the register's rows are believed by themselves. */
  readonly rootKeys: readonly string[];
}

/** Nothing is configured: key files count, passkeys do not, no root is pinned. */
export const PLAIN_TRUST: Trust = { rootKeys: [] };
