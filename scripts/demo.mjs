/**
 * The founding story: a goal of ten tasks on a project of its own, shown as it goes. What `npm run demo` runs
 * once everything is set up; arguments are passed on to `drover run`.
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { readConfig } from '../dist/config.js';
import { runProgram } from '../dist/cli/program.js';

const NAME = 'authentication';

/** A demo that is run again begins anew beside the first one. */
function freshProject(folder) {
  for (let number = 1; ; number += 1) {
    const name = number === 1 ? NAME : `${NAME}-${number}`;
    if (!existsSync(join(folder, name))) return name;
  }
}

const project = freshProject(readConfig().projectsDir);
const flow = fileURLToPath(new URL('../flows/authentication.yaml', import.meta.url));
// In this process, so that Ctrl-C reaches what has to stop.
process.exit(await runProgram(['run', flow, '--project', project, ...process.argv.slice(2)]));
