/** Writes flows/flow.schema.json, the schema of flow files for editors. Run `npm run build` first. */
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { flowJsonSchema } from '../dist/plan/json-schema.js';

const root = fileURLToPath(new URL('..', import.meta.url));
const target = 'flows/flow.schema.json';
writeFileSync(`${root}/${target}`, JSON.stringify(flowJsonSchema()));
execFileSync(`${root}/node_modules/.bin/oxfmt`, [target], { cwd: root, stdio: 'inherit' });
