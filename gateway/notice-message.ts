import { createHash, createHmac } from 'node:crypto';
import { factsOf, wordsOf } from '../domain/notice-words.js';
import type { NoticeRow, NoticeWords } from '../domain/notice-words.js';
import type { EgressMessage } from './egress.js';

/** A notice as it goes out: one body, its name, and a signature over both (docs/notices.md). */

export interface NoticeEnvelope {
  readonly instance: string;
  /** Names the thing told, in this instance, for ever. */
  readonly dedupe: string;
  readonly notice: NoticeRow;
  /** Where the server answers to people, if there is one. */
  readonly publicUrl?: string;
}

/** The name of a notice: the same at every attempt, at every place, and after a restored backup. */
export function noticeIdOf(instance: string, dedupe: string): string {
  return createHash('sha256').update(`${instance}\n${dedupe}`, 'utf8').digest('hex').slice(0, 32);
}

/**
 * The request that tells a notice: `v1` is the HMAC-SHA256, in hex, of `<t>.<id>.<body>` under the place's own secret,
 * `t` in seconds by the database's clock.
 */
export function noticeMessage(
  envelope: NoticeEnvelope,
  of: { readonly format: 'webhook' | 'slack'; readonly secret: string; readonly now: Date },
): EgressMessage {
  const id = noticeIdOf(envelope.instance, envelope.dedupe);
  const words = wordsOf(envelope.notice);
  const body = JSON.stringify(
    of.format === 'slack' ? slackBody(envelope, words) : webhookBody(envelope, words, id),
  );
  const t = Math.floor(of.now.getTime() / 1000);
  return {
    headers: {
      'content-type': 'application/json; charset=utf-8',
      'countersign-notice': id,
      'countersign-signature': `t=${t},v1=${signatureOf(of.secret, { t, id, body })}`,
    },
    body,
  };
}

export function signatureOf(
  secret: string,
  { t, id, body }: { readonly t: number; readonly id: string; readonly body: string },
): string {
  return createHmac('sha256', secret).update(`${t}.${id}.${body}`, 'utf8').digest('hex');
}

/** A page of ours that shows the thing to whoever may see it. Opening it decides nothing. */
function linkOf({ notice, publicUrl }: NoticeEnvelope): string | undefined {
  if (publicUrl === undefined) return undefined;
  const { gateId } = factsOf(notice.payload);
  const base = publicUrl.replace(/\/+$/, '');
  return typeof gateId === 'string'
    ? `${base}/inbox?gate=${encodeURIComponent(gateId)}`
    : `${base}/inbox`;
}

function webhookBody(envelope: NoticeEnvelope, words: NoticeWords, id: string): object {
  const { instance, notice } = envelope;
  const link = linkOf(envelope);
  return {
    type: 'countersign.notice.v1',
    id,
    instance,
    kind: notice.kind,
    at: notice.at,
    ...(notice.runId === undefined ? {} : { runId: notice.runId }),
    title: words.title,
    lines: words.lines,
    ...(words.command === undefined ? {} : { command: words.command }),
    ...(link === undefined ? {} : { link }),
    facts: factsOf(notice.payload),
  };
}

/** Slack takes at most 150 characters in a header and 3,000 in a section. */
const HEADER_MAX = 150;
const SECTION_MAX = 3_000;
const plain = (text: string, max: number): object => ({
  type: 'plain_text',
  text: text.slice(0, max),
  emoji: false,
});
const escaped = (text: string): string =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');

/** Blocks of plain text alone: nothing in them is markup, whatever it holds. */
function slackBody(envelope: NoticeEnvelope, words: NoticeWords): object {
  const { command, lines, title } = words;
  const link = linkOf(envelope);
  const all = [
    ...lines,
    ...(command === undefined ? [] : [command]),
    ...(link === undefined ? [] : [link]),
  ];
  return {
    // What a phone shows: Slack reads it as markup unless told not to.
    text: escaped(`${title}: ${lines[0] ?? ''}`.slice(0, SECTION_MAX)),
    mrkdwn: false,
    unfurl_links: false,
    unfurl_media: false,
    blocks: [
      { type: 'header', text: plain(title, HEADER_MAX) },
      { type: 'section', text: plain(all.join('\n'), SECTION_MAX) },
      ...(link === undefined
        ? []
        : [
            {
              type: 'actions',
              elements: [{ type: 'button', text: plain('Look at it', 75), url: link }],
            },
          ]),
    ],
  };
}
