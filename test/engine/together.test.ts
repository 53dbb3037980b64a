/** Requests decided in one transaction: each gets its own answer, and none takes another one's record back. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { Decisions } from '../../src/engine/decisions/together.js';
import type { Request } from '../../src/engine/decisions/decide.js';
import { type Commit, Ledger } from '../../src/engine/recording/ledger.js';
import { Log } from '../../src/log/log.js';
import { loadGoal } from '../../src/projections/board.js';
import { GoalReader } from '../../src/projections/goal-reader.js';

const root = mkdtempSync(join(tmpdir(), 'drover-together-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));

function open() {
  const ledger = new Ledger(Log.open(mkdtempSync(join(root, 'data-'))));
  const commits: Commit[] = [];
  ledger.onCommit((commit) => commits.push(commit));
  return {
    ledger,
    commits,
    decisions: new Decisions(ledger, { check: () => undefined, next: () => undefined }),
  };
}

const enqueue = (title: string, more: object = {}, id?: string): Request => ({
  name: 'enqueue',
  by: 'tester',
  id,
  input: { title, tasks: [{ name: 'a', capability: 'developer' }], ...more },
});

describe('requests of one turn', () => {
  it('are one commit, see each other, and are refused each by itself', async () => {
    const { ledger, commits, decisions } = open();
    const answers = await Promise.all(
      [
        enqueue('One', { key: 'same' }),
        { name: 'cancel', by: 'tester', input: { goal: 'goal-99' } },
        enqueue('One again', { key: 'same' }),
        enqueue('Bad', { tasks: [] }),
        enqueue('Two', {}, 'command-1'),
        enqueue('Two', {}, 'command-1'),
        { name: 'cancel', by: 'tester', input: { goal: 'goal-1' } },
      ].map((request) => decisions.decide(request)),
    );
    expect(answers).toMatchObject([
      { ok: { decision: { goal: 'goal-1', created: true } } },
      { refused: { code: 'not-found' } },
      { ok: { decision: { goal: 'goal-1', created: false } } },
      { refused: { code: 'bad-plan' } },
      { ok: { decision: { goal: 'goal-2', created: true } } },
      { ok: { decision: { goal: 'goal-2', created: true } } },
      { ok: { decision: { goal: 'goal-1' } } },
    ]);
    expect(commits).toHaveLength(1);
    expect([...commits[0]!.changed.keys()]).toEqual(['goal-1', 'goal-2']);
    expect(loadGoal(ledger.log.db, 'goal-1')?.state).toBe('CANCELLED');
    expect(loadGoal(ledger.log.db, 'goal-2')?.state).toBe('OPEN');
  });

  it('are decided one after the other where their transaction fails', async () => {
    const { ledger, commits, decisions } = open();
    const record = ledger.log.recordOutcome.bind(ledger.log);
    ledger.log.recordOutcome = (id, outcome) => {
      if (id === 'bad') throw new Error('this one cannot be written');
      record(id, outcome);
    };
    const answers = await Promise.allSettled([
      decisions.decide(enqueue('One', {}, 'good')),
      decisions.decide(enqueue('Lost', {}, 'bad')),
      decisions.decide(enqueue('Two', {}, 'too')),
    ]);
    expect(answers).toMatchObject([
      { value: { ok: { decision: { goal: 'goal-1' } } } },
      { reason: { message: 'this one cannot be written' } },
      { value: { ok: { decision: { goal: 'goal-2' } } } },
    ]);
    expect(commits).toHaveLength(2);
    expect([...ledger.log.events({ types: ['goal.created'] })].map(({ seq }) => seq)).toEqual([
      1, 3,
    ]);
    expect(new GoalReader(ledger.log.db).inState('OPEN').map(({ title }) => title)).toEqual([
      'One',
      'Two',
    ]);
  });
});
