/** `drover limit`: how much of a capability's or a project's work is done at once. */
import { DroverError } from '../../core/errors.js';
import { type AskedLimit, askedLimitSchema, type Limit } from '../../core/limits.js';
import { Log } from '../../log/log.js';
import { durationSchema } from '../../plan/duration.js';
import { readLimits } from '../../projections/limits.js';
import { wholeNumber } from '../arguments.js';
import { defineDroverCommand } from '../command.js';
import { openDesk } from '../desk.js';
import { EXIT } from '../exit.js';
import { print, printJson } from '../output.js';
import { limitWords } from '../render/limit-words.js';
import { unknownName } from '../unknown-name.js';

export const limitCommand = defineDroverCommand({
  name: 'limit',
  description: 'Limit how much of a capability’s or a project’s work is done at once',
  args: {
    scope: { type: 'positional', required: false, description: 'capability or project' },
    name: { type: 'positional', required: false, description: 'Its name; without one, all limits' },
    concurrency: {
      type: 'string',
      valueHint: 'N|none',
      description: 'Tasks that run at the same time at most, or none; as it is unless given',
    },
    rate: {
      type: 'string',
      valueHint: 'N/TIME|none',
      description:
        'Tasks of a capability that begin in a time at most, such as 10/m or 100/30s, or none; as it is unless given',
    },
    none: { type: 'boolean', description: 'Take all limits of this capability or project away' },
    why: { type: 'string', valueHint: 'TEXT', description: 'Reason, for the log' },
  },
  examples: [
    { run: 'drover limit', what: 'Shows the limits.' },
    {
      run: 'drover limit capability developer --concurrency 4 --rate 10/m',
      what: 'Four at a time, and no more than ten a minute.',
    },
    { run: 'drover limit project shop --concurrency 2', what: 'Whatever its capabilities.' },
    { run: 'drover limit project shop --none', what: 'Takes it away again.' },
  ],
  async run({ args: { scope, name, concurrency, rate, none, why }, globals }) {
    if (scope === undefined) {
      const limits = limitsIn(globals.dataDir);
      if (globals.json) printJson({ limits });
      else print(limits.map((limit) => limitWords(limit)).join('\n') || 'There are no limits.');
      return EXIT.done;
    }
    const asked = readLimit(scope, name, { concurrency, rate, none });
    const desk = await openDesk(globals);
    try {
      const limit = await desk.limit(asked, why);
      const { name: of } = limit;
      // Taking one away is right whatever it was set for.
      const warning = none
        ? undefined
        : await unknownName({ kind: limit.scope, name: of }, globals);
      if (globals.json) printJson({ limit, warning: warning ?? null, live: desk.live });
      else for (const line of [limitWords(limit), warning, desk.note]) if (line) print(line);
      return EXIT.done;
    } finally {
      await desk.close();
    }
  },
});

/** The limits that hold: those that were taken away are left out. */
function limitsIn(dataDir: string): Limit[] {
  using log = Log.read(dataDir);
  return readLimits(log).filter(
    (limit) => limit.concurrency !== null || (limit.scope === 'capability' && limit.rate),
  );
}

interface Wanted {
  readonly concurrency: string | undefined;
  readonly rate: string | undefined;
  readonly none: boolean | undefined;
}

function readLimit(
  scope: string,
  name: string | undefined,
  { concurrency, rate, none }: Wanted,
): AskedLimit {
  const isScope = scope === 'capability' || scope === 'project';
  if (!isScope || name === undefined) {
    throw new DroverError(
      'bad-input',
      isScope ? `It is not said which ${scope}.` : `‘${scope}’ is neither capability nor project.`,
      'Write for instance `drover limit project shop --concurrency 2`; `drover limit` alone shows all limits.',
    );
  }
  if (!none === (concurrency === undefined && rate === undefined)) {
    throw new DroverError(
      'bad-input',
      'Give either what the limit is, or --none to take it away.',
      'Use --concurrency N, or for a capability also --rate N/TIME; see `drover limit --help`.',
    );
  }
  if (scope === 'project' && rate !== undefined) {
    throw new DroverError(
      'bad-input',
      'A project has no rate.',
      'Limit its concurrency, or the rate of a capability.',
    );
  }
  const parsed = askedLimitSchema.safeParse({
    scope,
    name,
    concurrency: none
      ? null
      : orNone(concurrency, (text) => wholeNumber('concurrency', text, [1, 100_000])),
    ...(scope === 'capability' && { rate: none ? null : orNone(rate, readRate) }),
  });
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  throw new DroverError(
    'bad-input',
    `The limit cannot be read: ${issue!.path.join('.')}: ${issue!.message}.`,
    'Write it as in `drover limit project shop --concurrency 2`.',
  );
}

/** `none` takes a limit away; what is not named stays as it is. */
const orNone = <T>(text: string | undefined, read: (text: string) => T): T | null | undefined =>
  text === undefined ? undefined : text === 'none' ? null : read(text);

/** `10/m` is ten in one minute, `100/30s` a hundred in half of one. */
function readRate(text: string): { max: number; per: number } {
  const [, max, time] = /^(\d+)\/(.+)$/.exec(text) ?? [];
  const per = durationSchema.safeParse(/^\d/.test(time ?? '') ? time : `1${time}`);
  if (max !== undefined && per.success) return { max: Number(max), per: per.data };
  throw new DroverError(
    'bad-input',
    `‘${text}’ is no rate.`,
    'Write how many in which time, as in 10/m or 100/30s.',
  );
}
