/** The published API. */
export {
  type Drover,
  type DroverClient,
  type DroverOptions,
  connectDrover,
  createDrover,
} from './engine/drover.js';
export { DroverError, type ErrorCode } from './core/errors.js';
