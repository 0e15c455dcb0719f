import type { Route } from './routes.js';

/** The routes as an OpenAPI document: made of the very rows that are served. */
export function openApiOf(routes: readonly Route[], url: string): object {
  const paths: Record<string, Record<string, object>> = {};
  for (const { method, path, summary, who } of routes) {
    const templated = path.replace(/:(\w+)/g, '{$1}');
    const named = [...path.matchAll(/:(\w+)/g)].map(([, name]) => ({
      ...{ name, in: 'path', required: true, schema: { type: 'string' } },
    }));
    const key = { name: 'Idempotency-Key', in: 'header', required: true };
    const keyed = method === 'POST' && who !== undefined;
    (paths[templated] ??= {})[method.toLowerCase()] = {
      summary,
      ...(who === undefined ? { security: [] } : { security: [{ bearer: [] }] }),
      parameters: [...named, ...(keyed ? [{ ...key, schema: { type: 'string' } }] : [])],
      responses: { default: { description: 'the answer, or problem+json with a stable `code`' } },
    };
  }
  return {
    openapi: '3.1.0',
    info: { title: 'Countersign', version: 'v1' },
    servers: [{ url }],
    components: {
      securitySchemes: { bearer: { type: 'http', scheme: 'bearer', bearerFormat: 'at+jwt' } },
    },
    paths,
  };
}
