/** Where a partial clone gets the objects from that it does not have yet. */
import { resolve } from 'node:path';
import type { Git } from './git.js';
import { isUrl } from './remote.js';

/**
 * A URL or an absolute path; undefined for a clone that is whole, and for transports that run a program of the
 * repository's choice.
 */
export async function promisorOf(git: Git): Promise<string | undefined> {
  const marked = await git.ask([
    'config',
    '-z',
    '--get-regexp',
    String.raw`^remote\..*\.promisor$`,
  ]);
  for (const entry of marked.output.split('\0')) {
    const name = /^remote\.(.+)\.promisor(?:$|\n(?:true|yes|on|1)$)/s.exec(entry)?.[1];
    if (name === undefined) continue;
    const asked = await git.ask(['config', '--get', `remote.${name}.url`]);
    const url = asked.output.trim();
    if (isUrl(url)) return url;
    if (url !== '' && !url.includes('::')) return resolve(git.dir, url);
  }
  return undefined;
}
