// The suite with real servers. Nothing here is skipped: a server that is not installed is a failure that names the package.
import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    include: ['test/servers/**/*.test.ts'],
    setupFiles: ['test/support/keep-scene.ts'],
    testTimeout: 120_000,
    hookTimeout: 60_000,
    // Each file starts servers and thousands of deliveries: side by side they would measure each other.
    fileParallelism: false,
  },
})
