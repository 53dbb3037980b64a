/** What somebody does with git in a repository of theirs. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** @throws where git ends with another status than 0; the error has what git said */
export function git(dir: string, ...args: string[]): string {
  const who = ['-c', 'user.name=Somebody', '-c', 'user.email=somebody@example.org'];
  return execFileSync('git', [...who, ...args], {
    cwd: dir,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
  }).trim();
}

/** Begins a repository with one commit on `trunk`. @param dir is there already */
export function beginRepository(dir: string): void {
  git(dir, 'init', '-q', '-b', 'trunk');
  writeFileSync(join(dir, 'readme'), 'theirs\n');
  git(dir, 'add', '.');
  git(dir, 'commit', '-qm', 'Begin');
}

/** Begins a repository of somebody's and registers it as the project `shop`. @param repository is there already */
export function registerRepository(projectsDir: string, repository: string): void {
  beginRepository(repository);
  mkdirSync(projectsDir, { recursive: true });
  writeFileSync(join(projectsDir, 'shop.yaml'), `repository: ${repository}\n`);
}
