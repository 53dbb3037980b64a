/** The flow file's schema for editors. */
import { z } from 'zod';
import { flowSchema } from './schema.js';

/** The JSON schema of a flow file as written. Draft 7 is what YAML editors understand best. */
export function flowJsonSchema(): Record<string, unknown> {
  const { $schema, ...schema } = z.toJSONSchema(flowSchema, { io: 'input', target: 'draft-7' });
  return { $schema, ...schema };
}
