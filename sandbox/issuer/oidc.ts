import { speakAgain } from './quiet.js';
import Provider, { errors } from 'oidc-provider';

speakAgain();

/** The package, loaded without its word about node 20. Nothing else imports it by value. */
export { Provider, errors };
