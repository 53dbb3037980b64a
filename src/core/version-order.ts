/** Versions of programs, such as `7.0.15`. */

export const isAtLeast = (version: string, needed: string): boolean =>
  version.localeCompare(needed, 'en', { numeric: true }) >= 0;
