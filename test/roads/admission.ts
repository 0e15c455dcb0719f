import { signAdmission } from '../../client/service-key.js';
import { digestOf } from '../../domain/canonical.js';
import { code, newKey, type Ground, type Road } from './ground.js';

/** Runs that nobody who may has asked for. */
export function admissionRoads(at: () => Ground): readonly Road[] {
  const admit = (claim: () => object) => ({ go: () => at().rogue('admit', claim()) });
  return [
    {
      name: 'a request without a signature',
      ...admit(() => ({ ...at().claim('road-forged'), signature: '' })),
      told: code('ADMISSION_REFUSED'),
      logged: 'admit: signature-bad',
    },
    {
      name: 'a request signed by a key that nobody registered',
      ...admit(() => at().claim('road-forged', {}, { ...at().service, key: newKey() })),
      told: code('ADMISSION_REFUSED'),
      logged: 'admit: key-unknown',
    },
    {
      name: 'a request signed with another key than it names',
      ...admit(() => ({
        ...at().claim('road-forged'),
        signature: signAdmission(
          { runId: 'road-forged', requestDigest: digestOf({}), at: '2026-11-21T00:00:00.000Z' },
          { ...at().service, key: at().stranger },
        ).signature,
      })),
      told: code('ADMISSION_REFUSED'),
      logged: 'admit: signature-bad',
    },
    {
      name: 'a request for another installation',
      ...admit(() => at().claim('road-forged', {}, { ...at().service, instance: '0'.repeat(32) })),
      told: code('ADMISSION_REFUSED'),
      logged: 'admit: instance-mismatch',
    },
    {
      name: 'a statement over another run',
      ...admit(() => ({ ...at().claim('road-forged'), runId: 'road-other' })),
      told: code('ADMISSION_REFUSED'),
      logged: 'admit: run-mismatch',
    },
    {
      name: 'another request than the one that was signed',
      ...admit(() => ({
        ...at().claim('road-forged'),
        request: at().claim('road-forged', { budget: '90.00 USD' }).request,
      })),
      told: code('ADMISSION_REFUSED'),
      logged: 'admit: digest-mismatch',
    },
    {
      name: 'an agent that the service may not speak for',
      ...admit(() => at().claim('road-forged', { agent: 'other-agent' })),
      told: code('ADMISSION_REFUSED'),
      logged: 'admit: agent',
    },
    {
      name: 'a principal that the service may not act for',
      ...admit(() => at().claim('road-forged', { principal: 'pr_road_completed' })),
      told: code('ADMISSION_REFUSED'),
      logged: 'admit: principal',
    },
    {
      name: 'an environment that the service may not ask for',
      ...admit(() => at().claim('road-forged', { environment: 'production' })),
      told: code('ADMISSION_REFUSED'),
      logged: 'admit: environment',
    },
    {
      name: 'a teardown of what another principal’s run has made',
      ...admit(() => at().claim('road-forged', { tearsDown: 'road-completed' })),
      told: code('ADMISSION_REFUSED'),
      logged: 'admit: teardown',
    },
    {
      name: 'the id of a run that is somebody else’s',
      ...admit(() => at().claim('road-waiting')),
      told: code('ADMISSION_REFUSED'),
      logged: 'admit: run-id-taken',
    },
  ];
}
