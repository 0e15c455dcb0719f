/** The workflow bundle's only entry. */
export { provision } from './provision.js';
export { repair } from './repair.js';
