// The offline suite: everything under test/ but the suites that have scripts of their own (real servers, crash, bench).
import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    exclude: ['test/servers/**', 'test/crash/**', 'test/bench/**', 'test/fuzz/**', 'node_modules/**'],
    globalSetup: ['test/support/build.ts'],
    testTimeout: 15_000,
  },
})
