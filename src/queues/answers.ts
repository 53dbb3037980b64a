/** Answers to commands that are sent together. ioredis gives a refusal beside its command, where nobody looks for it. */
import type { ChainableCommander } from 'ioredis';

/** @throws the first refusal among them: it does not say that something is missing, nor that it was written */
export async function answersOf(commands: ChainableCommander): Promise<unknown[]> {
  const replies = (await commands.exec()) ?? [];
  return replies.map(([error, value]) => {
    if (error) throw error;
    return value;
  });
}
