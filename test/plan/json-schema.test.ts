import { readFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { flowJsonSchema } from '../../src/plan/json-schema.js';
import { readFlow } from '../../src/plan/flow-file.js';

const flows = new URL('../../flows/', import.meta.url);

test("the editors' schema is in step with the one that checks flow files", async () => {
  const written: unknown = JSON.parse(await readFile(new URL('flow.schema.json', flows), 'utf8'));
  expect(
    written,
    'flows/flow.schema.json is out of date; write it anew with: npm run build && node scripts/flow-schema.mjs',
  ).toEqual(flowJsonSchema());
});

test('it describes every key and refuses unknown ones', () => {
  const schema = flowJsonSchema() as {
    properties: { tasks: { additionalProperties: { properties: Record<string, object> } } };
  };
  expect(schema).toMatchObject({ additionalProperties: false, required: ['name', 'tasks'] });
  const task = schema.properties.tasks.additionalProperties;
  expect(task).toMatchObject({ additionalProperties: false });
  for (const [key, property] of Object.entries(task.properties)) {
    expect(property, key).toHaveProperty('description');
  }
});

test('the example flow is valid and names the schema', async () => {
  const path = new URL('hello.yaml', flows).pathname;
  const { flow, warnings } = await readFlow(path, { knownCapabilities: ['shell'] });
  expect(warnings).toEqual([]);
  expect(flow.tasks.map(({ name }) => name)).toEqual([
    'prepare',
    'greet (Ada)',
    'greet (Grace)',
    'farewell',
  ]);
  expect(await readFile(path, 'utf8')).toMatch(
    /^# yaml-language-server: \$schema=\.\/flow\.schema\.json\n/,
  );
});
