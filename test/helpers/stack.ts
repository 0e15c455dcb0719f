import { freshDatabase, type FreshDatabase } from './database.js';
import { startTestTemporal, type TestTemporal } from './temporal.js';

/** An empty database of its own in a real PostgreSQL; see `freshDatabase`. */
export const startTestDatabase: () => Promise<FreshDatabase> = freshDatabase;
export { startTestTemporal, type FreshDatabase, type TestTemporal };
