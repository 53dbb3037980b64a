/**
 * Workflows in the form of GitHub Actions: `jobs` with `needs`, matrices, and steps that run commands. What only
 * GitHub has (actions, runners, services, expressions on its own contexts) is left out and told. A step or job with
 * a condition is left out too: Drover cannot judge it, and running what should not run is the worse mistake.
 */
import { z } from 'zod';
import { oneLine, quoted, textSchema } from './fields.js';
import { expandMatrix } from './github-matrix.js';
import { type Scope, Script } from './github-script.js';
import type { Draft, Finding, Item, ReadOptions, State } from './item.js';
import { readAs } from './read-as.js';

const scalarSchema = z.union([z.string(), z.number(), z.boolean()]);
const nameSchema = scalarSchema.nullish().transform((name) => name?.toString());
const envSchema = z
  .union([z.record(z.string(), scalarSchema.nullish()), z.string()])
  .nullish()
  .transform((env) => (typeof env === 'object' && env !== null ? env : {}));

const stepSchema = z.looseObject({
  name: nameSchema,
  run: textSchema,
  uses: textSchema,
  if: scalarSchema.nullish(),
  env: envSchema,
  shell: textSchema,
  'working-directory': textSchema,
  'continue-on-error': z.unknown().optional(),
});

const jobSchema = z.looseObject({
  name: nameSchema,
  needs: z
    .union([z.string(), z.array(z.string())])
    .nullish()
    .transform((needs) => (needs == null ? [] : [needs].flat())),
  if: scalarSchema.nullish(),
  uses: textSchema,
  env: envSchema,
  steps: z
    .array(stepSchema)
    .nullish()
    .transform((steps) => steps ?? []),
  strategy: z.looseObject({ matrix: z.unknown().optional() }).nullish(),
  'timeout-minutes': z.unknown().optional(),
  'continue-on-error': z.unknown().optional(),
  defaults: z.unknown().optional(),
});
type Job = z.output<typeof jobSchema>;

const workflowSchema = z.looseObject({
  name: nameSchema,
  env: envSchema,
  jobs: z.record(z.string(), jobSchema),
});

/** Jobs are keys as well, and may be called like anything that could be spared. */
const NO_KEYS: ReadonlySet<PropertyKey> = new Set();
const MINUTE = 60_000;
/** Milliseconds that a timeout can hold. */
const LONGEST = 2_147_483_647;
/** Keys of a job that mean something on GitHub's machines only. */
const ELSEWHERE = ['container', 'services', 'environment', 'outputs', 'concurrency'] as const;
/** Conditions that hold whenever the needs are done. */
const ALWAYS: ReadonlySet<string> = new Set(['success()', 'true', 'always()', '!cancelled()']);

export function readGitHubActions(value: unknown, { file, fallbackTitle }: ReadOptions): Draft {
  const findings: Finding[] = [];
  const workflow = readAs(workflowSchema, value, '', { file, findings }, NO_KEYS);
  // What a job does is of no interest where it is left out.
  const variants = new Map(
    Object.entries(workflow.jobs).map(([id, job]) => [
      id,
      jobState(job, '', []) === 'open'
        ? expandMatrix(id, job.strategy?.matrix, `jobs.${id}.strategy.matrix`, findings)
        : [{ name: id, values: {} }],
    ]),
  );
  const items = Object.entries(workflow.jobs).flatMap(([id, job]) => {
    const where = `jobs.${id}`;
    const state = jobState(job, where, findings);
    if (state === 'open') tellOfElsewhere(job, where, findings);
    const needs = job.needs.flatMap((need) =>
      (variants.get(need)?.map(({ name }) => name) ?? [need]).map((name) => ({
        name,
        where: `${where}.needs`,
        of: id,
      })),
    );
    return variants.get(id)!.map(({ name, values }, index): Item => {
      // What is wrong with a job is told once, not for every variant.
      const told = index === 0 && state === 'open' ? findings : [];
      return {
        name,
        where,
        title: titleOf(job, name),
        needs,
        state,
        work: workOf(job, { matrix: values, env: workflow.env }, where, told),
      };
    });
  });
  return { title: workflow.name?.trim() || fallbackTitle, items, findings };
}

function titleOf({ name }: Job, id: string): string {
  return name === undefined || name.includes('${{') ? id : name;
}

function jobState(job: Job, where: string, findings: Finding[]): State {
  if (job.uses !== undefined) {
    const message = `the job is another workflow, ${oneLine(job.uses)}`;
    findings.push({ kind: 'unsupported', where, message, done: 'The job is left out.' });
    return { because: 'is a workflow of its own' };
  }
  if (!isConditional(job.if)) return 'open';
  const message = `the job has a condition: ${oneLine(String(job.if))}`;
  findings.push({
    kind: 'unsupported',
    where: `${where}.if`,
    message,
    done: 'The job is left out.',
  });
  return { because: 'has a condition that only GitHub can judge' };
}

function isConditional(condition: Job['if']): boolean {
  if (condition === undefined || condition === null || condition === true) return false;
  const text = String(condition).replace(/^\s*\$\{\{|\}\}\s*$/g, '');
  return !ALWAYS.has(text.trim());
}

function tellOfElsewhere(job: Job, where: string, findings: Finding[]): void {
  for (const key of ELSEWHERE) {
    if (job[key] === undefined) continue;
    const message = `‘${key}’ means something on GitHub only`;
    findings.push({
      kind: 'unsupported',
      where: `${where}.${key}`,
      message,
      done: 'It is left out.',
    });
  }
}

function workOf(job: Job, scope: Scope, where: string, findings: Finding[]): Item['work'] {
  const script = new Script(scope, findings);
  script.addVariables(job.env, `${where}.env`);
  const folder = defaultFolder(job.defaults);
  for (const [index, step] of job.steps.entries()) {
    const place = `${where}.steps[${index}]`;
    const leaveOut = (message: string): void => {
      findings.push({ kind: 'unsupported', where: place, message, done: 'The step is left out.' });
    };
    if (step.uses !== undefined) leaveOut(`the step is the action ${oneLine(step.uses)}`);
    else if (isConditional(step.if)) {
      leaveOut(`the step has a condition: ${oneLine(String(step.if))}`);
    } else if (step.shell !== undefined && !/^(ba)?sh\b/.test(step.shell)) {
      leaveOut(`the step is written for the shell ${oneLine(step.shell)}`);
    } else if (step.run !== undefined) {
      script.addStep(
        {
          name: step.name,
          run: step.run,
          env: step.env,
          folder: step['working-directory'] ?? folder,
          isOptional: mayFail(step, place, findings),
        },
        place,
      );
    }
  }
  if (script.isEmpty) {
    const message = 'the job has no step that can be run here';
    findings.push({
      kind: 'unsupported',
      where,
      message,
      done: 'It is imported and does nothing.',
    });
  }
  const timeout = timeoutOf(job, where, findings);
  return {
    ...script.work(),
    ...(timeout !== undefined && { timeout }),
    ...(mayFail(job, where, findings) && { optional: true }),
  };
}

function timeoutOf(job: Job, where: string, findings: Finding[]): number | undefined {
  const minutes = job['timeout-minutes'];
  if (minutes == null) return undefined;
  if (typeof minutes === 'number' && minutes * MINUTE >= 1) {
    return Math.min(Math.round(minutes * MINUTE), LONGEST);
  }
  tellUnusable(minutes, `${where}.timeout-minutes`, 'is no number of minutes', findings);
  return undefined;
}

/** Whether the workflow goes on without a job or a step. */
function mayFail(
  { 'continue-on-error': written }: Job | Job['steps'][number],
  where: string,
  findings: Finding[],
): boolean {
  if (typeof written !== 'boolean' && written != null) {
    tellUnusable(written, `${where}.continue-on-error`, 'is neither true nor false', findings);
  }
  return written === true;
}

function tellUnusable(value: unknown, where: string, why: string, findings: Finding[]): void {
  const message = `${quoted(JSON.stringify(value))} ${why}`;
  findings.push({ kind: 'value', where, message, done: 'It is left out.' });
}

function defaultFolder(defaults: unknown): string | undefined {
  const parsed = z
    .looseObject({ run: z.looseObject({ 'working-directory': z.string() }) })
    .safeParse(defaults);
  return parsed.data?.run['working-directory'];
}
