/** A server or an issuer does not answer, or answers something else than it should. */
export class HttpUnreachable extends Error {
  override readonly name = 'HttpUnreachable';
  constructor(
    readonly url: string,
    reason: string,
  ) {
    super(`${url} does not answer as it should (${reason})`);
  }
}

/** The server refused, by its own stable code. */
export class ServerRefused extends Error {
  override readonly name = 'ServerRefused';
  constructor(
    readonly status: number,
    readonly code: string,
    detail: string,
  ) {
    super(detail);
  }
}

/** The issuer refused to sign somebody in; `code` is the one of OAuth. */
export class SignInRefused extends Error {
  override readonly name = 'SignInRefused';
  constructor(
    readonly code: string,
    detail: string,
  ) {
    super(detail);
  }
}
