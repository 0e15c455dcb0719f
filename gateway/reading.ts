import { Failure } from '../domain/errors.js';
import type { ProviderName } from '../domain/steps.js';
import type { Classified } from './operation.js';

/**
 * Reads, and turns what the SDK throws into a failure of ours. A read that got no answer changed nothing, so it may
 * be tried again. @throws PROVIDER_AUTH, PROVIDER_REFUSED, PROVIDER_UNAVAILABLE
 */
export async function reading<T>(
  provider: ProviderName,
  what: string,
  classify: (error: unknown) => Classified,
  read: () => Promise<T>,
): Promise<T> {
  try {
    return await read();
  } catch (error) {
    if (error instanceof Failure) throw error;
    const classified = classify(error);
    const final = classified.code === 'PROVIDER_AUTH' || classified.code === 'PROVIDER_REFUSED';
    throw new Failure(
      final ? classified.code : 'PROVIDER_UNAVAILABLE',
      `${provider}: could not read ${what}: ${classified.message}`,
      detailsOf(classified),
    );
  }
}

/** Code, status and request id: all that leaves of a provider's error. */
export function detailsOf(classified: Classified): Record<string, string | number> {
  return {
    ...(classified.status === undefined ? {} : { status: classified.status }),
    ...(classified.providerCode === undefined ? {} : { providerCode: classified.providerCode }),
    ...(classified.requestId === undefined ? {} : { requestId: classified.requestId }),
  };
}
