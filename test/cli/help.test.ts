/** What the command line says of itself, and how it meets what it cannot understand. */
import { spawnSync } from 'node:child_process';
import { accessSync, constants, copyFileSync, existsSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { COMMANDS } from '../../src/cli/commands.js';
import { places } from './support.js';

const place = places();

describe('drover --help', () => {
  it('names every command and every exit status', async () => {
    const { drover } = await place();
    const { code, out, err } = await drover(['--help']);
    expect(code).toBe(0);
    expect(err).toBe('');
    for (const name of Object.keys(COMMANDS)) expect(out).toMatch(new RegExp(`^ +${name} `, 'm'));
    for (const status of [0, 1, 2, 3, 4, 5, 130]) {
      expect(out).toMatch(new RegExp(`^ +${status}  [A-Z]`, 'm'));
    }
  });

  it('answers `drover` alone with status 2, and prints its version', async () => {
    const { drover } = await place();
    expect(await drover([])).toMatchObject({ code: 2, out: expect.stringContaining('COMMANDS') });
    expect(await drover(['--version'])).toMatchObject({ code: 0, out: '0.1.0\n' });
  });

  it('is what `drover help` prints, also of one command', async () => {
    const { drover } = await place();
    const program = await drover(['help']);
    expect(program.out).toBe((await drover(['-h'])).out);
    expect((await drover(['help', 'log'])).out).toContain('drover log export');
  });

  it('is a JSON document where JSON was asked for, as the version is', async () => {
    const { drover } = await place();
    const read = async (...args: string[]): Promise<unknown> => {
      const { code, out, err } = await drover([...args, '--json']);
      expect({ code, err }).toEqual({ code: 0, err: '' });
      return JSON.parse(out);
    };
    expect(await read('--version')).toEqual({ version: '0.1.0' });
    const program = await read('--help');
    expect(program).toMatchObject({
      name: 'drover',
      options: expect.arrayContaining([
        expect.objectContaining({ name: '--help', short: '-h', value: null }),
      ]),
      exitStatus: { 0: expect.stringContaining('Done') },
    });
    expect((program as { commands: { name: string }[] }).commands.map(({ name }) => name)).toEqual(
      Object.keys(COMMANDS).map((name) => `drover ${name}`),
    );
    const run = await read('run', '--help');
    expect(run).toMatchObject({
      name: 'drover run',
      description: expect.stringContaining('flow'),
      arguments: [{ name: 'flow', required: true, description: expect.any(String) }],
      options: expect.arrayContaining([
        expect.objectContaining({ name: '--data', value: 'DIR', required: false, default: null }),
        expect.objectContaining({ name: '--json', value: null }),
      ]),
      commands: [],
    });
    expect(await read('help', 'run')).toEqual(run);
    expect(await read('log', '--help')).toMatchObject({
      name: 'drover log',
      commands: expect.arrayContaining([
        { name: 'drover log export', description: expect.any(String) },
      ]),
    });
    expect(await read('log', 'export', '--help')).toMatchObject({ name: 'drover log export' });
  });

  it('has no colours where nobody looks', async () => {
    const { drover } = await place();
    expect((await drover(['--help'])).out).not.toContain('\u001B');
  });
});

describe('a checkout that is not built', () => {
  it('has a program that npm can link, and that says how to build it', async () => {
    const { dir } = await place();
    const root = join(import.meta.dirname, '../..');
    const { bin } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
      bin: { drover: string };
    };
    const program = join(root, bin.drover);
    accessSync(program, constants.X_OK);
    mkdirSync(join(dir, 'bin'));
    const alone = join(dir, 'bin/drover.mjs');
    copyFileSync(program, alone);
    const { status, stderr } = spawnSync(process.execPath, [alone, '--version'], {
      encoding: 'utf8',
    });
    expect({ status, stderr }).toEqual({
      status: 5,
      stderr: expect.stringContaining('npm run build'),
    });
    expect(spawnSync(process.execPath, [program, '--version'], { encoding: 'utf8' }).stdout).toBe(
      '0.1.0\n',
    );
  });
});

/** Every command as it is typed, members of families included. */
const typed = await Promise.all(
  Object.entries(COMMANDS).map(async ([name, load]) => {
    const { subCommands } = await load();
    return subCommands ? Object.keys(subCommands).map((member) => [name, member]) : [[name]];
  }),
);

describe.each(typed.flat())('drover %s %s', (...words) => {
  it('explains itself with a description, options and examples', async () => {
    const { drover } = await place();
    const args = words.filter((word) => word !== undefined);
    const { code, out, err } = await drover([...args, '--help']);
    expect({ code, err }).toEqual({ code: 0, err: '' });
    expect(out.split('\n')[0]).toMatch(/^[A-Z].{19,} \(drover/);
    expect(out).toContain('OPTIONS');
    for (const option of ['--data', '--json']) expect(out).toContain(option);
    const examples = out.slice(out.indexOf('EXAMPLES'));
    expect(examples).toMatch(new RegExp(`^ {2}drover ${args.join(' ')}\\b`, 'm'));
  });
});

describe('a command line that cannot be understood', () => {
  it.each([
    [['stauts'], 'Did you mean `drover status`?'],
    [['xyzzy'], 'Choose one of run, up'],
    [['status', '--jsn'], 'Did you mean --json?'],
    [['goals', '--wibble'], 'There is no option --wibble'],
    [['status', '-x'], 'There is no option -x'],
    [['--data'], '--data needs a value'],
    [['status', '--data'], '--data needs a value'],
    [['status', '--data', '--prefix'], '--data needs a value'],
    [['status', '--json=yes'], '--json takes no value'],
    [['run'], 'FLOW'],
    [['run', 'a.yaml', 'b.yaml'], '‘b.yaml’ is one argument too many'],
    [['run', 'a.yaml', '--param', 'x'], 'NAME=VALUE'],
    [['run', 'nowhere.yaml'], 'There is no file nowhere.yaml'],
    [['run', '.'], 'is not a file'],
    [['run', 'a.yaml', '--project', '../up'], 'must be a letter'],
    [['run', 'a.yaml', '--priority', 'asap'], 'Choose one of urgent, high, normal, low'],
    [['run', 'a.yaml', '--redis', 'ftp://here'], 'Write it like redis://'],
    [['up', '--port', 'many'], 'whole number from 0 to 65535'],
    [['up', '--port', '70000'], 'whole number from 0 to 65535'],
    [['up', '--agents', 'a b'], 'no list of capabilities'],
    [['up', '--agents', ''], '--agents needs a value'],
    [['up', '--host', '0.0.0.0'], 'DROVER_TOKEN'],
    [['agent'], 'CAPABILITY'],
    [['agent', 'goals'], 'names a queue of the engine'],
    [['agent', 'a:b'], 'must be a letter'],
    [['agent', 'tester', '--concurrency', '0'], 'whole number from 1'],
    [['goals', '--state', 'sleeping'], '‘sleeping’ is no state of a goal'],
    [['goals', '--limit', '-1'], '--limit needs a value'],
    [['logs', '--tail', '1e3'], 'whole number from 0'],
    [['status'], 'There is no log in'],
    [['cancel', 'goal-1'], 'There is no log in'],
  ])('%j: %s', async (args, said) => {
    const { drover, data } = await place();
    const { code, out, err } = await drover(args);
    expect(err).toContain(said);
    expect({ code, out }).toEqual({ code: 2, out: '' });
    expect(err).not.toMatch(/^\s+at /m);
    // Nothing was begun on the way.
    expect(existsSync(data)).toBe(false);
  });

  it('is told in JSON where JSON was asked for', async () => {
    const { drover } = await place();
    const { code, out, err } = await drover(['status', 'goal-1', '--json']);
    expect({ code, err }).toEqual({ code: 2, err: '' });
    expect(JSON.parse(out)).toEqual({
      error: {
        code: 'not-found',
        message: expect.stringContaining('There is no log in') as string,
        remedy: expect.stringContaining('--data') as string,
      },
    });
  });

  it('shows where an error comes from only to somebody who debugs', async () => {
    const { drover } = await place();
    const { err } = await drover(['status'], { DROVER_DEBUG: '1' });
    expect(err).toMatch(/^\s+at /m);
  });
});
