/**
 * Effects by request. A request is a rule in `../decisions/`, an effect here and, for people, a command of the
 * command line.
 */
import type { DecisionOn, RequestName } from '../decisions/decide.js';
import { approveEffect } from './approve.js';
import { cancelEffect } from './cancel.js';
import { editEffect } from './edit.js';
import { enqueueEffect } from './enqueue.js';
import type { Effect } from './effect.js';
import { limitEffect } from './limit.js';
import { pauseEffect } from './pause.js';
import { retryEffect } from './retry.js';
import { fireEffect, scheduleEffect } from './schedules.js';
import { steerEffect } from './steer.js';
import { submitEffect } from './submit.js';

export const EFFECTS: { readonly [N in RequestName]: Effect<DecisionOn<N>> } = {
  enqueue: enqueueEffect,
  cancel: cancelEffect,
  retry: retryEffect,
  grow: submitEffect,
  add: submitEffect,
  rerun: steerEffect,
  cancelTask: steerEffect,
  skip: steerEffect,
  edit: editEffect,
  pause: pauseEffect,
  resume: pauseEffect,
  switched: pauseEffect,
  approve: approveEffect,
  reject: approveEffect,
  gate: steerEffect,
  signal: steerEffect,
  scheduleAdd: scheduleEffect,
  schedulePause: scheduleEffect,
  scheduleResume: scheduleEffect,
  scheduleRemove: scheduleEffect,
  scheduleRun: fireEffect,
  scheduleFire: fireEffect,
  limit: limitEffect,
  rollback: steerEffect,
};
