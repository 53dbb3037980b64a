/** Runs every check there is, each as one line; what a failed one printed follows. `--no-test` leaves the tests out. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const checks = ['format:check', 'lint', 'types', 'dead-code', 'package', 'schema-drift'];
if (!process.argv.includes('--no-test')) checks.push('test');

async function check(name) {
  const began = performance.now();
  const child = spawn('npm', ['run', '--silent', name], { cwd: root });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text) => (output += text));
  }
  const [status] = await once(child, 'close');
  const seconds = ((performance.now() - began) / 1000).toFixed(1);
  console.log(`${status === 0 ? 'ok    ' : 'FAILED'}  ${name.padEnd(14)} ${seconds.padStart(6)} s`);
  return status === 0 ? [] : [{ name, output }];
}

const failed = [];
for (const name of checks) failed.push(...(await check(name)));
for (const { name, output } of failed) console.log(`\n${name}\n${output}`);
process.exit(failed.length === 0 ? 0 : 1);
