/** Real plans of other systems, read from where they lie; skipped where they do not. */
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { topologicalOrder } from '../../../src/core/graph.js';
import { exportFlow } from '../../../src/plan/export-flow.js';
import { importPlan, parsePlan } from '../../../src/plan/import/import-plan.js';

const FILES = [
  ['plans/taskmaster-tasks.json', 'taskmaster', 101, 85],
  ['plans/blackbox5-queue.yaml', 'blackbox5', 65, 25],
  ['wfinstances/sarek-dirt02-001.json', 'wfcommons', 26, 0],
  ['wfinstances/soykb-chameleon-10fastq-10ch-001.json', 'wfcommons', 96, 0],
] as const;

/** Beside the project, or beside the folder that its clones are in. */
const DATA = ['../../../../shared/data/', '../../../../../shared/data/']
  .map((path) => fileURLToPath(new URL(path, import.meta.url)))
  .find((path) => existsSync(path));

describe.each(FILES)('%s', (file, format, open, done) => {
  it.skipIf(DATA === undefined)('is imported, exported and imported as the same plan', async () => {
    const { flow, satisfied, ...plan } = await importPlan(`${DATA!}${file}`);
    expect(plan.format).toBe(format);
    expect(flow.tasks).toHaveLength(open);
    expect(satisfied).toHaveLength(done);
    const nodes = flow.tasks.map(({ name, needs }) => ({ id: name, needs }));
    expect(topologicalOrder(nodes)).toHaveLength(open);
    const text = exportFlow(flow);
    const again = parsePlan(text, 'flow.yaml');
    expect(again.flow).toEqual(flow);
    expect(exportFlow(again.flow)).toBe(text);
  });
});
