/** What a schema finds wrong with something that was handed in, in one line. */
import type { z } from 'zod';

/** Mistakes that are named; whoever mends these hears of the others. */
const MOST = 5;

/** `tasks.0.name: must be a letter, …; key: Too big: …` */
export function issuesText({ issues }: z.ZodError): string {
  const named = issues
    .slice(0, MOST)
    .map(({ path, message }) => (path.length === 0 ? message : `${path.join('.')}: ${message}`));
  const more = issues.length - named.length;
  return [...named, ...(more > 0 ? [`and ${more} more`] : [])].join('; ');
}
