/** Metadata member that holds the effect id: Stripe keeps it with the object, so a read-back finds it by list. */
export const MARKER = 'countersign_effect';

export const markerOf = (object: { readonly metadata?: Readonly<Record<string, string>> | null }) =>
  object.metadata?.[MARKER];
