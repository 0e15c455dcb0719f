/**
 * oidc-provider prints a warning about node 20 when it is loaded, on which it works. Imported before it, this keeps that
 * one line back; `speakAgain` is called as soon as it is loaded.
 */
const { console: printer } = globalThis;
const warn = printer.warn.bind(printer);

printer.warn = (...said: unknown[]): void => {
  if (!String(said[0]).includes('Unsupported runtime')) warn(...said);
};

/** Puts the printer back as it was. */
export function speakAgain(): void {
  printer.warn = warn;
}
