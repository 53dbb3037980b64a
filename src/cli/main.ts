#!/usr/bin/env node
/** The program `drover`. */
import { runProgram } from './program.js';

const code = await runProgram(process.argv.slice(2));
// Whatever a library left open must not keep a finished command alive.
process.exit(code);
