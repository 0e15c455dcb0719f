import Cloudflare from 'cloudflare';
import Stripe from 'stripe';

/** An answer of a provider, as it would come over the wire; `lost` breaks the connection instead. */
export type Answer =
  | {
      readonly status: number;
      /** Sent as JSON; a text is sent as it is, as a proxy in between would. */
      readonly body: unknown;
      readonly headers?: Readonly<Record<string, string>>;
    }
  | 'lost';

const answering =
  (answer: (path: string, method: string) => Answer): typeof fetch =>
  (input, init) => {
    const request = new Request(input, init);
    const given = answer(new URL(request.url).pathname, request.method);
    if (given === 'lost') return Promise.reject(new TypeError('fetch failed'));
    return Promise.resolve(
      new Response(typeof given.body === 'string' ? given.body : JSON.stringify(given.body), {
        status: given.status,
        headers: { 'content-type': 'application/json', ...given.headers },
      }),
    );
  };

/** The real package over these answers. */
export const stripeOver = (answer: (path: string, method: string) => Answer): Stripe =>
  new Stripe('sk_test_answers', {
    maxNetworkRetries: 0,
    telemetry: false,
    httpClient: Stripe.createFetchHttpClient(answering(answer)),
  });

/** The real package over these answers. */
export const cloudflareOver = (answer: (path: string, method: string) => Answer): Cloudflare =>
  new Cloudflare({
    apiToken: 'answers',
    maxRetries: 0,
    logLevel: 'off',
    fetch: answering(answer),
  });

/** What the call throws. */
export async function thrownBy(call: () => Promise<unknown>): Promise<unknown> {
  const outcome = await call().then(
    () => ({ threw: false, error: undefined }),
    (error: unknown) => ({ threw: true, error }),
  );
  if (!outcome.threw) throw new Error('it did not throw');
  return outcome.error;
}
