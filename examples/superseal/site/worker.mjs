// Serves the files of public/ and adds the headers that a static page should have.
const HEADERS = {
  'content-security-policy':
    "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
};

export default {
  async fetch(request, env) {
    if (request.method !== 'GET' && request.method !== 'HEAD')
      return new Response('Only GET and HEAD are answered here.\n', {
        status: 405,
        headers: { allow: 'GET, HEAD', 'content-type': 'text/plain; charset=utf-8' },
      });

    const found = await env.ASSETS.fetch(request);
    if (found.status !== 404) return withHeaders(found, found.status);
    const page = await env.ASSETS.fetch(new Request(new URL('/404', request.url), request));
    return withHeaders(page, 404);
  },
};

function withHeaders(response, status) {
  const headers = new Headers(response.headers);
  for (const [name, value] of Object.entries(HEADERS)) headers.set(name, value);
  return new Response(response.body, { status, headers });
}
