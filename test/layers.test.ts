/** Proves the linter's guards: each is given something to refuse, laid out like the project. */
import { execFile } from 'node:child_process';
import { copyFile, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { beforeAll, describe, expect, it } from 'vitest';

const root = fileURLToPath(new URL('..', import.meta.url));

const use = (specifier: string): string => `import * as used from '${specifier}';\nvoid used;\n`;
const LAYER = 'eslint(no-restricted-imports)';

/** Where, what, and the rule that has to refuse it. */
const REFUSED: [file: string, content: string, rule: string][] = [
  // One step up or sideways from every folder.
  ['core/up.ts', use('../queues/x.js'), LAYER],
  ['core/config.ts', use('../config.js'), LAYER],
  ['queues/sideways.ts', use('../log/x.js'), LAYER],
  ['queues/up.ts', use('../plan/x.js'), LAYER],
  ['log/sideways.ts', use('../queues/x.js'), LAYER],
  ['log/up.ts', use('../projections/x.js'), LAYER],
  ['plan/sideways.ts', use('../agents/x.js'), LAYER],
  ['plan/up.ts', use('../engine/x.js'), LAYER],
  ['compile/sideways.ts', use('../plan/x.js'), LAYER],
  ['agents/sideways.ts', use('../workspace/x.js'), LAYER],
  ['workspace/sideways.ts', use('../recorder/x.js'), LAYER],
  ['recorder/sideways.ts', use('../projections/x.js'), LAYER],
  ['projections/sideways.ts', use('../compile/x.js'), LAYER],
  ['engine/up.ts', use('../cli/x.js'), LAYER],
  ['engine/up-too.ts', use('../http/x.js'), LAYER],
  ['http/sideways.ts', use('../cli/x.js'), LAYER],
  ['config.ts', use('./engine/x.js'), LAYER],
  ['index.ts', use('./cli/x.js'), LAYER],
  ['cli/root.ts', use('../index.js'), LAYER],
  ['cli/self.ts', use('drover'), LAYER],
  // However it is written.
  ['plan/deep/import.ts', use('../../agents/x.js'), LAYER],
  ['plan/type.ts', `import type { X } from '../agents/x.js';\nexport type Y = X;\n`, LAYER],
  ['plan/dynamic.ts', `export const used = await import('../agents/x.js');\n`, LAYER],
  ['plan/re-export.ts', `export { x } from '../agents/x.js';\n`, LAYER],
  // Packages, outside the folder they belong to.
  ['plan/bullmq.ts', use('bullmq'), LAYER],
  ['engine/ioredis.ts', use('ioredis'), LAYER],
  ['engine/ioredis-deep.ts', use('ioredis/built/Redis'), LAYER],
  ['recorder/sqlite.ts', use('better-sqlite3'), LAYER],
  ['engine/drizzle.ts', use('drizzle-orm'), LAYER],
  ['projections/drizzle-driver.ts', use('better-sqlite3'), LAYER],
  ['cli/git.ts', use('simple-git'), LAYER],
  ['engine/board.ts', use('@bull-board/express'), LAYER],
  ['engine/environment.ts', `export const home = process.env['HOME'];\n`, 'node(no-process-env)'],
  ['engine/environment-import.ts', use('node:process'), LAYER],
  // Shapes.
  ['engine/default.ts', `export default 1;\n`, 'import(no-default-export)'],
  ['engine/barrel.ts', `export * from '../core/x.js';\n`, 'oxc(no-barrel-file)'],
  [
    'core/circle.ts',
    `import type { Two } from './circle-two.js';\nexport interface One { readonly two?: Two }\n`,
    'import(no-cycle)',
  ],
  [
    'core/circle-two.ts',
    `import type { One } from './circle.js';\nexport interface Two { readonly one?: One }\n`,
    'import(no-cycle)',
  ],
  ['core/any.ts', `export const used: any = 1;\n`, 'typescript(no-explicit-any)'],
  [
    'engine/floating.ts',
    `async function run(): Promise<void> {}\nrun();\n`,
    'typescript(no-floating-promises)',
  ],
  [
    'engine/misused.ts',
    `[1].forEach(async () => {\n  await Promise.resolve();\n});\n`,
    'typescript(no-misused-promises)',
  ],
  ['engine/thenable.ts', `await 1;\n`, 'typescript(await-thenable)'],
  [
    'engine/switch.ts',
    `export function go(way: 'left' | 'right'): void {\n  switch (way) {\n    case 'left':\n      break;\n  }\n}\n`,
    'typescript(switch-exhaustiveness-check)',
  ],
  [
    'engine/type-import.ts',
    `import { X } from '../core/x.js';\nexport type Y = X;\n`,
    'typescript(consistent-type-imports)',
  ],
];

const ACCEPTED: [file: string, content: string][] = [
  ['core/x.ts', `export const x = 1;\nexport type X = number;\n`],
  ['core/zod.ts', use('zod')],
  ['queues/good.ts', use('bullmq') + use('../core/x.js').replaceAll('used', 'other')],
  ['queues/ioredis.ts', use('ioredis')],
  ['log/good.ts', use('better-sqlite3')],
  ['projections/good.ts', use('drizzle-orm')],
  ['projections/log.ts', use('../log/good.js')],
  // A file may bear the name of another folder.
  ['core/plan.ts', `export const plan = 1;\n`],
  ['compile/plan.ts', use('../core/plan.js')],
  ['workspace/good.ts', use('simple-git')],
  ['engine/good.ts', use('../compile/plan.js')],
  ['engine/config.ts', use('../config.js')],
  ['http/good.ts', use('@bull-board/express')],
  ['http/engine.ts', use('../engine/good.js')],
  ['cli/good.ts', use('../http/good.js')],
];

interface Report {
  readonly diagnostics: readonly { code?: string; filename: string; message: string }[];
}

/** The complaints about each file; one run for all of them, because the start takes most of the time. */
async function lint(
  name: string,
  files: readonly (readonly [string, string, ...unknown[]])[],
): Promise<(file: string) => string[]> {
  const dir = await mkdtemp(join(tmpdir(), `drover-${name}-`));
  try {
    for (const file of ['.oxlintrc.json', 'tsconfig.json', 'package.json']) {
      await copyFile(join(root, file), join(dir, file));
    }
    await symlink(join(root, 'node_modules'), join(dir, 'node_modules'));
    for (const [file, content] of files) {
      await mkdir(dirname(join(dir, 'src', file)), { recursive: true });
      await writeFile(join(dir, 'src', file), content);
    }
    const stdout = await new Promise<string>((resolve) => {
      const oxlint = join(root, 'node_modules', 'oxlint', 'bin', 'oxlint');
      const args = [oxlint, '--type-aware', '--deny-warnings', '--format', 'json', 'src'];
      execFile(process.execPath, args, { cwd: dir }, (_, output) => resolve(output));
    });
    const { diagnostics } = JSON.parse(stdout) as Report;
    return (file) =>
      diagnostics
        .filter(({ filename }) => filename === `src/${file}`)
        .map(({ code, message }) => code ?? message);
  } finally {
    await rm(dir, { recursive: true });
  }
}

describe('the linter', () => {
  let complaints: (file: string) => string[];
  beforeAll(async () => {
    complaints = await lint('refused', REFUSED);
  });

  it.each(REFUSED)('refuses src/%s', (file, _content, rule) => {
    expect(complaints(file)).toContain(rule);
  });
});

describe('the linter on clean files', () => {
  let complaints: (file: string) => string[];
  beforeAll(async () => {
    complaints = await lint('accepted', [
      ...ACCEPTED,
      ['config.ts', `export const home = process.env['HOME'];\n`],
    ]);
  });

  it.each([...ACCEPTED, ['config.ts', ''] as const])('accepts src/%s', (file) => {
    expect(complaints(file)).toEqual([]);
  });
});
