/** The workflow bundle's only entry. */
export { provision } from './provision.js';
export { teardown } from './teardown.js';
export { repair } from './repair.js';
