/** A task's life in a repository, in few words. */
import { openGoalBranch, readGoalBranch } from '../../src/workspace/branches.js';
import { checkpoint } from '../../src/workspace/checkpoint.js';
import { beginClaim, type Claim } from '../../src/workspace/claims.js';
import { commitMerge, landMerges, type LandingResult } from '../../src/workspace/integrate.js';
import { mergeWork } from '../../src/workspace/merge.js';
import {
  openRepository,
  type Repository,
  type RepositoryPlace,
} from '../../src/workspace/repository.js';
import { createWorktree } from '../../src/workspace/worktree.js';
import type { Worktree } from '../../src/workspace/worktree-record.js';
import { temporaryFolder, userRepository } from './repository.js';

export const ENVIRONMENT = { PATH: process.env['PATH'] };

export async function opened(place: Partial<RepositoryPlace> = {}): Promise<Repository> {
  const repository = await openRepository({
    name: 'demo',
    location: place.location ?? userRepository(),
    dataDir: temporaryFolder(),
    environment: ENVIRONMENT,
    ...place,
  });
  await openGoalBranch(repository, 'goal-1');
  return repository;
}

export async function begun(
  repository: Repository,
  task: string,
  claim = 1,
  owner = 'me',
  generation = 1,
): Promise<{ claim: Claim; worktree: Worktree }> {
  const request = { goal: 'goal-1', task, claim, owner, generation };
  const started = await beginClaim(repository, request);
  return { claim: started, worktree: await createWorktree(repository, started) };
}

/** Takes the worktree's files through checkpoint, merge and landing. @throws what kept it from being merged */
export async function merged(
  repository: Repository,
  claim: Claim,
  worktree: Worktree,
): Promise<LandingResult & { commit: string }> {
  const { head } = await checkpoint(repository, worktree, claim);
  const goal = await readGoalBranch(repository, claim.goal);
  const from = goal!.tip;
  const result = await mergeWork(repository, from, { start: claim.start, head });
  if (result.kind !== 'merged') throw new Error(JSON.stringify(result));
  const subject = `Merge ${claim.task}`;
  const commit = await commitMerge(repository, {
    onto: from,
    head,
    tree: result.tree,
    claim,
    subject,
  });
  const landed = await landMerges(repository, {
    goal: claim.goal,
    from,
    to: commit,
    claims: [{ ...claim, head }],
  });
  return { ...landed, commit };
}
