/** Lua scripts on a client, typed at the place where they are defined. */
import type { ChainableCommander, Redis } from 'ioredis';

/** What ioredis sends as a key or an argument. */
export type ScriptArgument = string | number | boolean | Buffer;
/** A list stands for its items. */
type Script = (...args: (ScriptArgument | readonly ScriptArgument[])[]) => Promise<unknown>;

/** Defines `name` on the client, which sends the script's digest and its text only where Redis lacks it. */
export function defineScript(
  client: Redis,
  name: string,
  numberOfKeys: number,
  lua: string,
): Script {
  client.defineCommand(name, { numberOfKeys, lua });
  return scriptOn(client, name);
}

/** A script that is defined, on its client or in a transaction of that. */
export function scriptOn(target: Redis | ChainableCommander, name: string): Script {
  // ioredis adds the command as a method that its types cannot know.
  const command = (target as unknown as Record<string, Script>)[name]!;
  return command.bind(target);
}
