// The offline suite: everything under test/ but the suites that have scripts of their own (real servers, crash, fuzz, soak).
import { defineConfig } from 'vitest/config'

/** Tests of the program share one process-wide set of secrets to mask, and replace modules: each file has a process of its
 *  own. The rooms below keep nothing between files; starting a process for each would cost half of the time. */
const program = [
  'test/cli/**/*.test.ts',
  'test/daemon/**/*.test.ts',
  'test/*.test.ts',
  // What it names must not be a secret of another file's.
  'test/security/other-people.test.ts',
  // It measures the memory of its process, and sets flags of V8.
  'test/poll/run/garbage.test.ts',
  // It makes the process popfetch's, and asks whether there is a thread.
  'test/poll/lane/foresee.test.ts',
  // It changes what the process trusts.
  'test/deliver/gmail/proxy.test.ts',
  // These replace modules.
  'test/deliver/smtp/at-once.test.ts',
  'test/poll/rests/rates-polled.test.ts',
  'test/poll/route/shown.test.ts',
  'test/poll/run/in-use.test.ts',
]
const others = [
  'test/servers/**',
  'test/browser/**',
  'test/crash/**',
  'test/fuzz/**',
  'test/soak/**',
  'node_modules/**',
]

export default defineConfig({
  test: {
    globalSetup: ['test/support/build.ts'],
    setupFiles: ['test/support/keep-scene.ts'],
    // Only what hangs is to fail: on a machine with other work a test may take fifty times as long as on an idle one.
    testTimeout: 120_000,
    hookTimeout: 120_000,
    // Most of the time is spent waiting for sockets, children and fsyncs.
    maxWorkers: 4,
    projects: [
      { extends: true, test: { name: 'program', include: program, exclude: others } },
      {
        extends: true,
        test: { name: 'rooms', include: ['test/**/*.test.ts'], exclude: [...program, ...others], isolate: false },
      },
    ],
  },
})
