const EFFECT_ID = /^([0-9a-f]{32})\/([a-z0-9][a-z0-9-]{0,62})\/([a-z-]{1,40})\/(act|undo)$/;

/** Instance and run that a marker found at a provider names, or undefined if it is none of our form. */
export function parseMarker(
  text: string,
): { readonly instance: string; readonly runId: string } | undefined {
  const [, instance, runId] = EFFECT_ID.exec(text) ?? [];
  return instance === undefined || runId === undefined ? undefined : { instance, runId };
}
