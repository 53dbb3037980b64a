/** Limits on how much is done at once: for a capability, a project, or everything that shares a key. */
import { z } from 'zod';
import { capabilitySchema, nameSchema } from './plan.js';

const atOnce = z.int().min(1).max(100_000);

/** At most so many tasks begin in a time, milliseconds. */
const rateSchema = z.strictObject({
  max: z.int().min(1).max(1_000_000),
  per: z.int().min(1).max(86_400_000),
});

/** What is set for one capability or project; null takes a limit away. */
export const limitSchema = z.discriminatedUnion('scope', [
  z.strictObject({
    scope: z.literal('capability'),
    name: capabilitySchema,
    concurrency: atOnce.nullable(),
    rate: rateSchema.nullable(),
  }),
  z.strictObject({
    scope: z.literal('project'),
    name: nameSchema,
    concurrency: atOnce.nullable(),
  }),
]);
export type Limit = z.infer<typeof limitSchema>;

const [ofCapability, ofProject] = limitSchema.options;

/** The same as somebody asks for it: what is not named stays as it is. */
export const askedLimitSchema = z.discriminatedUnion('scope', [
  ofCapability.partial({ concurrency: true, rate: true }),
  ofProject.partial({ concurrency: true }),
]);
export type AskedLimit = z.infer<typeof askedLimitSchema>;
