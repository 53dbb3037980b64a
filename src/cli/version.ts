/** The version of this Drover. */
import { readFileSync } from 'node:fs';
import { z } from 'zod';

const packageSchema = z.object({ version: z.string(), engines: z.object({ node: z.string() }) });

const readPackage = (): z.infer<typeof packageSchema> =>
  packageSchema.parse(
    JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')),
  );

export const readVersion = (): string => readPackage().version;

/** The Node that it needs, such as `>=20.19`. */
export const neededNode = (): string => readPackage().engines.node;
