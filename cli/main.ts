#!/usr/bin/env node
import { runCli } from './cli.js';
import { processIo } from './io.js';
import { REGISTERS } from './verbs.js';

process.exitCode = await runCli(processIo(), process.argv.slice(2), REGISTERS);
