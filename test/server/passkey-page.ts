/** What a script of a page does with a passkey, in words that travel to the page. */
export type Ceremony =
  | { readonly do: 'make'; readonly person: string; readonly rpId: string }
  | { readonly do: 'sign'; readonly statement: object; readonly credentialId: string }
  | {
      readonly do: 'post';
      readonly path: string;
      readonly token: string;
      readonly body: object;
    };

/** A passkey that was made: its key as SubjectPublicKeyInfo. */
export interface Made {
  readonly credentialId: string;
  readonly publicKey: string;
  readonly keyId: string;
}

/**
 * Put into a page as it is, so in plain JavaScript: the page itself hashes what it signs. Statements are flat with names
 * of letters only, so their canonical form is that of sorted members.
 */
export const inBrowser = `
  const text = (bytes) =>
    btoa(String.fromCharCode(...new Uint8Array(bytes)))
      .replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '');
  const bytes = (from) =>
    Uint8Array.from(atob(from.replaceAll('-', '+').replaceAll('_', '/')), (c) => c.charCodeAt(0));
  const sha256 = (data) => crypto.subtle.digest('SHA-256', data);
  const canonical = (statement) =>
    new TextEncoder().encode(JSON.stringify(statement, Object.keys(statement).sort()));
  const acts = {
    async make({ person, rpId }) {
      const made = await navigator.credentials.create({
        publicKey: {
          rp: { id: rpId, name: 'Countersign' },
          user: { id: crypto.getRandomValues(new Uint8Array(16)), name: person, displayName: person },
          challenge: crypto.getRandomValues(new Uint8Array(32)),
          pubKeyCredParams: [{ type: 'public-key', alg: -7 }],
          authenticatorSelection: { residentKey: 'required', userVerification: 'required' },
        },
      });
      const spki = made.response.getPublicKey();
      return { credentialId: text(made.rawId), publicKey: text(spki), keyId: text(await sha256(spki)) };
    },
    async sign({ statement, credentialId }) {
      const said = await navigator.credentials.get({
        publicKey: {
          rpId: 'localhost',
          challenge: await sha256(canonical(statement)),
          allowCredentials: [{ type: 'public-key', id: bytes(credentialId) }],
          userVerification: 'required',
        },
      });
      const { authenticatorData, clientDataJSON, signature, userHandle } = said.response;
      return {
        kind: 'webauthn',
        credentialId: text(said.rawId),
        clientDataJSON: text(clientDataJSON),
        authenticatorData: text(authenticatorData),
        signature: text(signature),
        ...(userHandle === null ? {} : { userHandle: text(userHandle) }),
      };
    },
    async post({ path, token, body }) {
      const answer = await fetch(path, {
        method: 'POST',
        headers: {
          authorization: 'Bearer ' + token,
          'content-type': 'application/json',
          'idempotency-key': crypto.randomUUID(),
        },
        body: JSON.stringify(body),
      });
      return { status: answer.status, json: await answer.json() };
    },
  };
  globalThis.ceremony = (of) => acts[of.do](of);
`;
