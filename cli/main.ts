#!/usr/bin/env node
import { fileURLToPath } from 'node:url';
import { runCli } from './cli.js';
import { processIo } from './io.js';
import { runProgram } from './run-program.js';
import { LIGHT_REGISTERS, needsTemporal } from './verbs-light.js';

const WITH_TEMPORAL = fileURLToPath(new URL('./programs/with-temporal.js', import.meta.url));

const io = processIo();
const args = process.argv.slice(2);
process.exitCode = needsTemporal(args)
  ? await runProgram(io, WITH_TEMPORAL, args)
  : await runCli(io, args, LIGHT_REGISTERS);
