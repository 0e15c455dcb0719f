import { clearProviderVariables, processVariables } from '../config/environment.js';
import { loadConfig, type Config } from '../config/load.js';

/**
 * The configuration of a program behind a verb: what the verb passed on, then the environment and the file. Providers'
 * own variables are gone from the process after it. @throws UsageError
 */
export function programConfig({
  data,
  config,
}: {
  readonly data?: string | undefined;
  readonly config?: string | undefined;
}): Config {
  clearProviderVariables();
  return loadConfig({
    env: processVariables(),
    cwd: process.cwd(),
    args: {
      ...(data === undefined ? {} : { data }),
      ...(config === undefined ? {} : { config }),
    },
  });
}
