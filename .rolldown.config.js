// Builds dist/: one small start file and chunks that are loaded at first use. Third-party code is bundled, because
// resolving and reading its many files was most of the start-up time (yargs 49 ms, zod 40 ms, yaml 19 ms).
import { defineConfig } from 'rolldown'

export default defineConfig({
  logLevel: 'warn',
  input: { popfetch: 'bin/popfetch.ts', index: 'src/index.ts' },
  platform: 'node',
  output: {
    dir: 'dist',
    format: 'esm',
    cleanDir: true,
    entryFileNames: '[name].js',
    chunkFileNames: 'chunks/[name]-[hash].js',
    minify: { compress: true, mangle: false, codegen: { removeWhitespace: true } },
  },
})
