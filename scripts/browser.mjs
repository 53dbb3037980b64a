/** Where a Chromium is for the tests; plain Node, because the set-up asks before anything is installed. */
import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';

const NAMES = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable'];
const MAC = [
  '/Applications/Chromium.app/Contents/MacOS/Chromium',
  '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
];

/** @returns {string | undefined} `CHROMIUM_PATH`, else the first browser that is installed */
export function browserPath() {
  const folders = (process.env.PATH || '').split(delimiter);
  const candidates = folders.flatMap((folder) => NAMES.map((name) => join(folder, name)));
  return [process.env.CHROMIUM_PATH || '', ...candidates, ...MAC].find(
    (path) => path && existsSync(path),
  );
}
