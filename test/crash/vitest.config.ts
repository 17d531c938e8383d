// The crash suite: `npm run test:crash` runs all of it, `npm run test:crash -- --mode sample` a minute's worth. Sizes are in
// sizes.ts. Where ptrace is not permitted, what needs strace is skipped and says so; kills at random times still run.
import { defineConfig } from 'vitest/config'

export default defineConfig(({ mode }) => ({
  test: {
    include: ['test/crash/**/*.test.ts'],
    globalSetup: ['test/support/build.ts'],
    setupFiles: ['test/support/keep-scene.ts'],
    env: { CRASH_MODE: mode === 'sample' ? 'sample' : 'full' },
    testTimeout: 1_800_000,
    // Each test runs children side by side already.
    fileParallelism: false,
  },
}))
