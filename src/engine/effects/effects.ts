/**
 * Effects by request. A request is a rule in `../decisions/`, an effect here and, for people, a command of the
 * command line.
 */
import type { DecisionOn, RequestName } from '../decisions/decide.js';
import { cancelEffect } from './cancel.js';
import type { Effect } from './effect.js';
import { enqueueEffect } from './enqueue.js';
import { growEffect } from './grow.js';
import { retryEffect } from './retry.js';

export const EFFECTS = {
  enqueue: enqueueEffect,
  cancel: cancelEffect,
  retry: retryEffect,
  grow: growEffect,
} satisfies { readonly [N in RequestName]: Effect<DecisionOn<N>, unknown> };

/** What each request is answered. */
export type AnswerTo<N extends RequestName> = Awaited<ReturnType<(typeof EFFECTS)[N]>>;
