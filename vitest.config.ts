import { defineConfig } from 'vitest/config';

// Processes and real servers share the machine with the tests, so few run at once.
// Limits are for what hangs: a machine that others keep busy takes many times as long as an idle one.
const shared = {
  pool: 'forks',
  testTimeout: 120_000,
  hookTimeout: 60_000,
  expect: { poll: { timeout: 30_000 } },
} as const;

export default defineConfig({
  test: {
    globalSetup: 'test/global-setup.ts',
    maxWorkers: 2,
    projects: [
      {
        test: {
          ...shared,
          name: 'main',
          include: ['test/**/*.test.ts'],
          exclude: ['test/crash/**'],
        },
      },
      {
        test: {
          ...shared,
          name: 'crash',
          include: ['test/crash/**/*.test.ts'],
        },
      },
    ],
  },
});
