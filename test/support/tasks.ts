/** Tasks as tests plan them. */

/** Runs a command, and once: what fails is to be seen. */
export const shell = (name: string, run: string, more: object = {}) => ({
  name,
  capability: 'shell',
  run,
  retry: { attempts: 1 },
  ...more,
});
