/** What the README and the pages in docs/ say can be done, can be done. */
import { execFile } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, describe, expect, it } from 'vitest';
import { COMMANDS } from '../src/cli/commands.js';
import { EXIT_CODES } from '../src/cli/exit.js';

const root = fileURLToPath(new URL('..', import.meta.url));
const main = join(root, 'dist', 'cli', 'main.js');
const readme = readFileSync(join(root, 'README.md'), 'utf8');

const pages = [
  'README.md',
  'CHANGELOG.md',
  ...readdirSync(join(root, 'docs'), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.md'))
    .map((name) => join('docs', name)),
];
const textOf = (page: string): string => readFileSync(join(root, page), 'utf8');

/** The code blocks of one language, in their order. */
function blocks(text: string, language: string): string[] {
  return [...text.matchAll(/^```(\w*)\n(.*?)^```$/gms)]
    .filter(([, written]) => written === language)
    .map(([, , code]) => code!);
}

const folders: string[] = [];
afterEach(async () => {
  for (const folder of folders.splice(0)) await rm(folder, { recursive: true, force: true });
});

async function temporaryFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'drover-readme-'));
  folders.push(folder);
  return folder;
}

/** Runs a program as somebody would who has set nothing up; neither Redis nor folders come from outside. */
function run(
  args: readonly string[],
  cwd: string,
): Promise<{ code: unknown; out: string; err: string }> {
  const { PATH, HOME } = process.env;
  return new Promise((done) => {
    execFile(process.execPath, args, { cwd, env: { PATH, HOME } }, (error, out, err) =>
      done({ code: error === null ? 0 : error.code, out, err }),
    );
  });
}

describe('the library example', () => {
  const [example = ''] = blocks(readme, 'js');
  const lines = example.trimEnd().split('\n');

  it('has fewer than 20 lines', () => {
    expect(lines[0]).toBe("import { createDrover } from 'drover';");
    expect(lines.length).toBeLessThan(20);
  });

  it('runs as printed, and prints what the README says', async () => {
    const folder = await temporaryFolder();
    await mkdir(join(folder, 'node_modules'));
    await symlink(root, join(folder, 'node_modules', 'drover'));
    await writeFile(join(folder, 'example.mjs'), example);
    const { code, out, err } = await run(['example.mjs'], folder);
    expect({ code, err }).toEqual({ code: 0, err: '' });
    const said = readme.split(`${example}\`\`\`\n`)[1]!;
    const [first, last] = /from `(.+?)` to `(.+?)`/.exec(said)!.slice(1);
    const printed = out.trimEnd().split('\n');
    expect(printed[0]).toBe(first);
    expect(printed.at(-2)).toBe(last);
    expect(`${printed.at(-1)}\n`).toBe(blocks(said, 'text')[0]);
  });
});

describe('the flow example', () => {
  it('is valid, without a warning', async () => {
    const folder = await temporaryFolder();
    const flow = blocks(readme, 'yaml').find((block) => block.startsWith('name:'))!;
    await writeFile(join(folder, 'flow.yaml'), flow);
    const { code, out } = await run([main, 'validate', 'flow.yaml', '--json'], folder);
    expect(JSON.parse(out)).toMatchObject({ valid: true, problems: [], warnings: [] });
    expect(code).toBe(0);
  });
});

describe('the command line', () => {
  it('has every command and option that a page names', async () => {
    const named = new Map<string, Set<string>>();
    for (const page of pages) {
      const text = textOf(page);
      // In a span or a block of code; elsewhere the words are prose.
      const code = [...text.matchAll(/^```\w*\n(.*?)^```$|`([^`\n]+)`/gms)].map(
        ([, block, span]) => block ?? span!,
      );
      for (const [, command, rest] of code
        .join('\n')
        .matchAll(/(?<![\w./'"-])drover ([a-z]+(?: (?:export|import))?)\b(.*)/g)) {
        const options = named.get(command!) ?? new Set();
        for (const [option] of rest!.matchAll(/--[a-z][a-z-]*/g)) options.add(option);
        named.set(command!, options);
      }
    }
    expect(named.size).toBeGreaterThan(10);
    for (const [command, options] of named) {
      const { code, out } = await run([main, ...command.split(' '), '--help'], root);
      expect({ command, code }).toEqual({ command, code: 0 });
      for (const option of options) expect(out, `drover ${command}`).toContain(option);
    }
    // A process for each command.
  }, 120_000);

  it('is in the README as a whole, exit codes included', () => {
    for (const command of Object.keys(COMMANDS))
      expect(readme).toMatch(new RegExp(`^\\| \`drover ${command}\\b`, 'm'));
    for (const [code] of EXIT_CODES) expect(readme).toMatch(new RegExp(`^\\| ${code} +\\|`, 'm'));
  });
});

describe('links', () => {
  it.each(pages)('of %s lead somewhere', (page) => {
    const text = textOf(page).replaceAll(/^```.*?^```$/gms, '');
    const targets = [...text.matchAll(/\]\(([^)\s]+)\)/g)].map(([, target]) => target!);
    const relative = targets.filter((target) => !/^(https?:|#)/.test(target));
    const missing = relative.filter(
      (target) => !existsSync(resolve(root, dirname(page), target.replace(/#.*$/, ''))),
    );
    expect(missing).toEqual([]);
    const headings = new Set(
      [...text.matchAll(/^#+ (.+)$/gm)].map(
        ([, heading]) =>
          `#${heading!
            .toLowerCase()
            .replaceAll(/[^\w\s-]/g, '')
            .replaceAll(' ', '-')}`,
      ),
    );
    for (const target of targets.filter((to) => to.startsWith('#')))
      expect([...headings]).toContain(target);
  });
});

describe('files', () => {
  it.each(pages)('that %s names in code are there', (page) => {
    const named = [...textOf(page).matchAll(/`((?:src|test|flows|scripts|bench)\/[\w./-]*\w)`/g)];
    const missing = named.map(([, path]) => path!).filter((path) => !existsSync(join(root, path)));
    expect(missing).toEqual([]);
  });
});
