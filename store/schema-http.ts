import type { Generated } from 'kysely';

/** What providers have called out to us: a wake-up each, never a fact. */
export interface WebhookEventsTable {
  event_id: string;
  provider: 'stripe';
  /** As the provider names it: `charge.dispute.created`. */
  type: string;
  /** The object to read at the provider. */
  object_id: string;
  received_at: Generated<Date>;
  handled_at: Generated<Date | null>;
}

/** The first answer to each `Idempotency-Key` of a caller at a route. */
export interface HttpAnswersTable {
  caller: string;
  route: string;
  key_digest: string;
  body_digest: string;
  /** Null while the first request of this key is being answered. */
  status: number | null;
  body: string | null;
  content_type: string | null;
  begun_at: Generated<Date>;
  attempt: string;
}

/** A person's sign-in at an issuer, as their tokens told of it. */
export interface SessionsTable {
  /** SHA-256 (hex) over issuer, subject and the issuer's own id of the session: tells nothing by itself. */
  session_id: string;
  person_id: string;
  issuer: string;
  subject: string;
  signed_in_at: Date;
  first_seen_at: Generated<Date>;
}
