/** `drover import`: a plan of another system becomes a flow file, or a goal. */
import { counted } from '../../core/counted.js';
import { DroverError } from '../../core/errors.js';
import { capabilitySchema } from '../../core/plan.js';
import { exportFlow } from '../../plan/export-flow.js';
import type { Flow } from '../../plan/flow-file.js';
import { type Format, FORMATS } from '../../plan/import/detect.js';
import { type ImportedPlan, importPlan } from '../../plan/import/import-plan.js';
import type { Finding } from '../../plan/import/item.js';
import { nearest } from '../../plan/suggest.js';
import { announce } from '../announcing.js';
import { defineDroverCommand } from '../command.js';
import { openDesk } from '../desk.js';
import { EXIT } from '../exit.js';
import { FLOW_ARGS, goalOf, readChoices } from '../flow.js';
import type { Globals } from '../globals.js';
import { print, printJson, remark } from '../output.js';
import { paint } from '../render/paint.js';
import { oneLine } from '../render/text.js';
import { USUAL_CAPABILITIES } from '../serving.js';
import { writeText } from '../writing.js';

export const importCommand = defineDroverCommand({
  name: 'import',
  description: 'Turn a plan of another system into a flow file, or into a goal',
  args: {
    file: { type: 'positional', description: 'File of another system, or a flow file' },
    format: {
      type: 'string',
      valueHint: FORMATS.join('|'),
      description: 'What the file is; told by its shape unless given',
    },
    out: {
      type: 'string',
      valueHint: 'FLOW.yaml',
      description: 'Flow file to write; standard output unless given',
    },
    enqueue: { type: 'boolean', description: 'Hand the plan to the supervisor as a goal' },
    check: { type: 'boolean', description: 'Only report what would be imported' },
    tag: {
      type: 'string',
      valueHint: 'NAME',
      description: 'Of a Taskmaster file, the tag to import; all unless given',
    },
    capability: {
      type: 'string',
      valueHint: 'NAME',
      description:
        'Capability of the tasks; else workflow for traces, shell for workflows of GitHub, developer for others; flow files name their own',
    },
    title: { type: 'string', valueHint: 'TEXT', description: "The goal's title; else the file's" },
    project: FLOW_ARGS.project,
    priority: FLOW_ARGS.priority,
    key: { ...FLOW_ARGS.key, description: `With --enqueue: ${FLOW_ARGS.key.description}` },
  },
  examples: [
    {
      run: 'drover import .taskmaster/tasks/tasks.json --out flow.yaml',
      what: 'Writes a flow file, and names everything that does not add up.',
    },
    {
      run: 'drover import .beads/issues.jsonl --enqueue --project web',
      what: 'Enqueues what is open as a goal.',
    },
    {
      run: 'drover import .github/workflows/ci.yml --check --json',
      what: 'Reports what would be imported, for programs.',
    },
  ],
  async run({ args, globals }) {
    const { out, enqueue, check } = args;
    if ([out !== undefined, enqueue, check].filter(Boolean).length > 1) {
      throw new DroverError(
        'bad-input',
        '--out, --enqueue and --check exclude each other.',
        'Write the flow file first, and enqueue that.',
      );
    }
    const choices = readChoices(args);
    const plan = await importPlan(args.file, {
      format: formatOf(args.format),
      capability: capabilityOf(args.capability),
      tag: args.tag,
    });
    const flow: Flow = {
      ...plan.flow,
      ...(args.title !== undefined && { title: args.title }),
      ...choices,
    };
    report(plan, args.file, globals, check);
    if (enqueue) {
      await handIn({ ...plan, flow }, { file: args.file, key: args.key }, globals);
      return EXIT.done;
    }
    // Checked as well: a plan that cannot be written is no success.
    const text = exportFlow(flow);
    if (out !== undefined) await writeText(out, text);
    if (globals.json)
      printJson({
        ...summaryOf({ ...plan, flow }),
        out: out ?? null,
        ...(!check && !out && { flow }),
      });
    else if (out !== undefined)
      print(`${out} has ${counted(flow.tasks.length, 'task')}; \`drover run ${out}\` runs it.`);
    else if (!check) print(text.trimEnd());
    return EXIT.done;
  },
});

function formatOf(text: string | undefined): Format | undefined {
  const format = FORMATS.find((known) => known === text);
  if (text === undefined || format) return format;
  const likely = nearest(text, FORMATS);
  throw new DroverError(
    'bad-input',
    `There is no format ‘${text}’.`,
    likely ? `Did you mean ${likely}?` : `Choose one of ${FORMATS.join(', ')}.`,
  );
}

function capabilityOf(text: string | undefined): string | undefined {
  const problem = text === undefined ? undefined : capabilitySchema.safeParse(text).error;
  if (!problem) return text;
  throw new DroverError('bad-input', `The capability ‘${text}’ ${problem.issues[0]!.message}.`);
}

const summaryOf = ({ format, flow, satisfied, dropped, findings }: ImportedPlan) => ({
  format,
  title: flow.title,
  tasks: flow.tasks.length,
  satisfied,
  dropped,
  findings,
});

/** On standard error: standard output may be the flow file. */
function report(plan: ImportedPlan, file: string, { json }: Globals, inFull: boolean): void {
  if (json) return;
  const { format, flow, satisfied, dropped, findings } = plan;
  for (const finding of findings) remark(findingLine(finding, file));
  if (inFull) for (const one of dropped) remark(droppedLine(one));
  const parts = [`${counted(flow.tasks.length, 'task')} to do`];
  if (satisfied.length > 0) parts.push(`${satisfied.length} done before`);
  if (dropped.length > 0) parts.push(`${dropped.length} left out`);
  if (findings.length > 0) parts.push(counted(findings.length, 'remark'));
  remark(`${format}: ${parts.join(', ')}.`);
  const wordless = flow.tasks.filter(
    ({ run, capability }) => run === undefined && USUAL_CAPABILITIES.includes(capability),
  );
  if (wordless.length > 0) {
    remark(
      `${counted(wordless.length, 'task has', 'tasks have')} no command, and agents of \`drover up\` run commands only: start agents of your own for ${wordless[0]!.capability}, or name another capability with --capability.`,
    );
  }
}

const droppedLine = ({ name, because }: ImportedPlan['dropped'][number]): string =>
  `${paint('yellow', 'left out', process.stderr)} ${oneLine(`‘${name}’: it ${because}.`)}`;

function findingLine({ kind, where, message, done }: Finding, file: string): string {
  const label = paint('yellow', kind, process.stderr);
  return `${label} ${oneLine(`${file}: ${where}: ${message}. ${done}`)}`;
}

async function handIn(
  plan: ImportedPlan,
  { file, key }: { file: string; key: string | undefined },
  globals: Globals,
): Promise<void> {
  const desk = await openDesk(globals);
  try {
    const request = goalOf(plan.flow, file, key);
    const enqueued = await desk.enqueue(request);
    if (globals.json) printJson({ ...summaryOf(plan), enqueued, live: desk.live });
    else announce(enqueued, request, desk);
  } finally {
    await desk.close();
  }
}
