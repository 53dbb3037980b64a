/** `drover doctor`: whether this machine has what Drover needs, each with what helps where it has not. */
import { messageOf } from '../../core/errors.js';
import { CHECKS, type Finding } from '../checks.js';
import { defineDroverCommand } from '../command.js';
import { EXIT } from '../exit.js';
import { print, printJson } from '../output.js';
import { paint } from '../render/paint.js';

export const doctorCommand = defineDroverCommand({
  name: 'doctor',
  description: 'Examine whether this machine has what Drover needs',
  args: {},
  examples: [
    { run: 'drover doctor', what: 'Examines this machine and the data directory.' },
    {
      run: 'drover doctor --redis redis://10.0.0.5:6379',
      what: 'Examines whether that Redis is suitable.',
    },
  ],
  async run({ globals }) {
    const findings: (Finding & { readonly check: string })[] = [];
    for (const [check, examine] of Object.entries(CHECKS)) {
      const finding = await examine(globals).catch(asFailure);
      findings.push({ check, ...finding });
    }
    const sound = findings.every(({ result }) => result !== 'failed');
    if (globals.json) {
      printJson({ sound, checks: findings });
    } else {
      for (const { check, result, text, remedy } of findings) {
        print(`${MARKS[result]} ${check.padEnd(14)} ${text}`);
        if (remedy !== undefined && result !== 'ok') print(`  ${' '.repeat(14)} ${remedy}`);
      }
    }
    return sound ? EXIT.done : EXIT.unreachable;
  },
});

const MARKS = {
  ok: paint('green', '✓'),
  warning: paint('yellow', '!'),
  failed: paint('red', '✗'),
} as const;

function asFailure(error: unknown): Finding {
  const remedy = error instanceof Error && 'remedy' in error ? String(error.remedy) : undefined;
  return { result: 'failed', text: messageOf(error), ...(remedy !== undefined && { remedy }) };
}
