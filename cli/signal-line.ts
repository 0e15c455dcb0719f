import { workflowIdOf, type RunId } from '../domain/ids.js';

/** The exact `temporal` command that sends a signal; its JSON is safe between single quotes. */
export function temporalSignalLine(runId: string, signal: string, message: object): string {
  const json = JSON.stringify(message).replaceAll("'", '\\u0027');
  return `temporal workflow signal --workflow-id ${workflowIdOf(runId as RunId)} --name ${signal} --input '${json}'`;
}
