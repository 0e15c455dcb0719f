import { createClient } from '../../client/client.js';
import { runCli } from '../cli.js';
import { processIo } from '../io.js';
import { endWithCaller } from '../run-program.js';
import { REGISTERS } from '../verbs.js';

/** The process behind every verb of temporal-verbs.ts: the whole command line, with Temporal's packages loaded. */
endWithCaller();
process.exitCode = await runCli(processIo(), process.argv.slice(2), REGISTERS, createClient);
