/** The plans that the benchmarks run, and the same trees for BullMQ alone. */
import { CAPABILITY, range } from './harness.mjs';

/** @typedef {{ name: string, capability: string, needs?: string[] }} Task */

/** Tasks that each need the one before. @param {number} length @returns {Task[]} */
export function chain(length, first = 't') {
  return range(length).map((index) => ({
    name: `${first}${index}`,
    capability: CAPABILITY,
    ...(index > 0 && { needs: [`${first}${index - 1}`] }),
  }));
}

/** One task, several that need it, one that needs them all. @param {number} width @returns {Task[]} */
export function diamond(width) {
  const middle = range(width).map((index) => ({
    name: `m${index}`,
    capability: CAPABILITY,
    needs: ['first'],
  }));
  return [
    { name: 'first', capability: CAPABILITY },
    ...middle,
    { name: 'join', capability: CAPABILITY, needs: middle.map(({ name }) => name) },
  ];
}

/** Several chains side by side. @param {number} count @param {number} length @returns {Task[]} */
export const chains = (count, length) =>
  range(count).flatMap((index) => chain(length, `c${index}-`));

/**
 * Layers of tasks that each need up to three of the layer before.
 * @param {number} tasks @param {number} width @returns {Task[]}
 */
export function layers(tasks, width) {
  const random = generator(1);
  return range(tasks).map((index) => {
    const layer = Math.floor(index / width);
    const needs = new Set();
    if (layer > 0) {
      const count = 1 + Math.floor(random() * 3);
      for (let each = 0; each < count; each += 1) {
        needs.add(`t${(layer - 1) * width + Math.floor(random() * width)}`);
      }
    }
    return { name: `t${index}`, capability: CAPABILITY, needs: [...needs] };
  });
}

/** The same numbers between 0 and 1 at every run. @param {number} seed */
export function generator(seed) {
  let state = seed;
  return () => {
    state = (state * 1_103_515_245 + 12_345) % 2 ** 31;
    return state / 2 ** 31;
  };
}

/** A chain as a BullMQ flow. @param {number} length @returns {import('bullmq').FlowJob} */
export function plainChain(length, queueOf = () => CAPABILITY) {
  /** @type {import('bullmq').FlowJob} */
  let job = { name: 't0', queueName: queueOf(0), data: { index: 0 } };
  for (const index of range(1, length)) {
    job = { name: `t${index}`, queueName: queueOf(index), data: { index }, children: [job] };
  }
  return job;
}

/** What comes behind a diamond's first task, as a BullMQ flow. @param {number} width @returns {import('bullmq').FlowJob} */
export function plainFan(width) {
  const children = range(width).map((index) => ({
    name: `m${index}`,
    queueName: CAPABILITY,
    data: {},
  }));
  return { name: 'join', queueName: CAPABILITY, data: {}, children };
}

/** Ten years: a gate waits until it is promoted. */
const NEVER = 10 * 365 * 24 * 3_600_000;

/**
 * A diamond as one BullMQ flow, the tree that Drover makes of it: the first task's job below a relay, the relay below
 * one job of the middle, and below each other one a delayed job that the relay's worker promotes.
 * @param {number} width @param {string} goal makes the gates' ids unique @returns {import('bullmq').FlowJob}
 */
export function plainDiamond(width, goal) {
  const gates = range(1, width).map((index) => `${goal}.m${index}.gate`);
  /** @type {import('bullmq').FlowJob} */
  const relay = {
    name: 'relay',
    queueName: 'relays',
    data: { gates },
    children: [{ name: 'first', queueName: CAPABILITY, data: {} }],
  };
  const { children = [], ...join } = plainFan(width);
  const below = (/** @type {number} */ index) =>
    index === 0
      ? relay
      : { name: 'gate', queueName: 'gates', opts: { jobId: gates[index - 1], delay: NEVER } };
  return {
    ...join,
    children: children.map((job, index) => ({ ...job, children: [below(index)] })),
  };
}

/** A flow below a job of its own, as Drover has one for each goal. @param {import('bullmq').FlowJob} tree @returns {import('bullmq').FlowJob} */
export const plainGoal = (tree) => ({
  name: 'goal',
  queueName: 'goals',
  data: {},
  children: [tree],
});
