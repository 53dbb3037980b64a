/** What is said to whoever asks something of a Drover that was closed. */
import { DroverError } from '../core/errors.js';

export const closedError = (): DroverError =>
  new DroverError(
    'conflict',
    'This Drover is closed.',
    'Ask before `close()`, or start another with `createDrover()`.',
  );
