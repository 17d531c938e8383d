// The crash suite, on a file or, with CRASH_LEDGER=postgres, the parts of it that are not about files on PostgreSQL: `npm run test:crash` runs all of it, `npm run test:crash -- --mode sample` a minute's worth. Sizes are in
// sizes.ts. Where ptrace is not permitted, what needs strace is skipped and says so; kills at random times still run.
import { defineConfig } from 'vitest/config'

const FILES_ONLY = ['call-order', 'failed-calls', 'gmail', 'imap', 'mbox', 'recovery', 'kill-points'].map(
  (name) => `test/crash/${name}.test.ts`,
)

export default defineConfig(({ mode }) => ({
  test: {
    include: ['test/crash/**/*.test.ts'],
    globalSetup: ['test/support/build.ts', 'test/crash/postgres.ts'],
    setupFiles: ['test/support/keep-scene.ts'],
    // What looks at the calls on a ledger's file has nothing to look at.
    exclude: process.env['CRASH_LEDGER'] === 'postgres' ? FILES_ONLY : [],
    env: { CRASH_MODE: mode === 'sample' ? 'sample' : 'full' },
    testTimeout: 1_800_000,
    // Each test runs children side by side already.
    fileParallelism: false,
  },
}))
