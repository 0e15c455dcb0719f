import type { Adapter, AdapterPayload } from 'oidc-provider';
import type { IssuerStore } from './store.js';

/** What oidc-provider keeps goes into the issuer's file; clients of agents come out of it. */
export function adapterOver(store: IssuerStore): (model: string) => Adapter {
  return (model) => {
    const key = (id: string): string => `${model}:${id}`;
    const found = (payload: Record<string, unknown> | undefined): AdapterPayload | undefined =>
      payload;
    const find = (id: string): AdapterPayload | undefined =>
      model === 'Client' ? clientOf(store, id) : found(store.kept(key(id)));
    return {
      upsert: (id, payload, expiresIn) => {
        // Its own file keeps it for as long as it counts: an undefined time is a grant or session without an end.
        const seconds: number | undefined = expiresIn;
        store.keep(key(id), payload, seconds);
        return Promise.resolve();
      },
      find: (id) => Promise.resolve(find(id)),
      findByUid: (uid) =>
        Promise.resolve(found(store.findKept(`${model}:`, (payload) => payload['uid'] === uid))),
      findByUserCode: (code) =>
        Promise.resolve(
          found(store.findKept(`${model}:`, (payload) => payload['userCode'] === code)),
        ),
      consume: (id) => {
        const payload = store.kept(key(id));
        const exp = typeof payload?.['exp'] === 'number' ? payload['exp'] : undefined;
        const consumed = Math.floor(Date.now() / 1_000);
        if (payload !== undefined)
          store.keep(
            key(id),
            { ...payload, consumed },
            exp === undefined ? undefined : exp - consumed,
          );
        return Promise.resolve();
      },
      destroy: (id) => {
        store.forget((kept) => kept === key(id));
        return Promise.resolve();
      },
      revokeByGrantId: (grantId) => {
        store.forget(
          (kept, payload) => kept.startsWith(`${model}:`) && payload['grantId'] === grantId,
        );
        return Promise.resolve();
      },
    };
  };
}

function clientOf(store: IssuerStore, id: string): AdapterPayload | undefined {
  const client = store.client(id);
  return client === undefined
    ? undefined
    : {
        client_id: client.clientId,
        client_secret: client.secret,
        grant_types: ['client_credentials'],
        response_types: [],
        redirect_uris: [],
        token_endpoint_auth_method: 'client_secret_basic',
      };
}
