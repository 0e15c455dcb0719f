// Takes notices: checks the signature, answers at once, and tells each thing once. Node 20 alone; `docs/notices.md`.
import { createHmac, timingSafeEqual } from 'node:crypto';
import { createServer } from 'node:http';

const secret = process.env.NOTICE_SECRET;
if (!secret) throw new Error('set NOTICE_SECRET to what the policy’s secret names');
const TOO_OLD_S = 300;
/** A real one keeps these where a restart does not lose them. */
const known = new Set();

function isOurs(headers, body) {
  const [, t, v1] =
    /^t=(\d+),v1=([0-9a-f]{64})$/.exec(headers['countersign-signature'] ?? '') ?? [];
  if (t === undefined || Math.abs(Date.now() / 1000 - Number(t)) > TOO_OLD_S) return false;
  const wanted = createHmac('sha256', secret)
    .update(`${t}.${headers['countersign-notice']}.`)
    .update(body)
    .digest();
  return timingSafeEqual(wanted, Buffer.from(v1, 'hex'));
}

const server = createServer(async (request, response) => {
  const parts = [];
  for await (const part of request) parts.push(part);
  const body = Buffer.concat(parts);
  if (!isOurs(request.headers, body)) return void response.writeHead(401).end();
  // Answer first: what is not answered within ten seconds comes again.
  response.writeHead(204).end();
  const notice = JSON.parse(body);
  if (known.has(notice.id)) return;
  known.add(notice.id);
  console.log([notice.title, ...notice.lines, notice.command].join('\n'));
});
server.listen(Number(process.env.PORT ?? 8080), '127.0.0.1', () => {
  console.log(`listening on http://127.0.0.1:${server.address().port}`);
});
