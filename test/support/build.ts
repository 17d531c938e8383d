// Bundles the program into a directory of its own before the suite. It starts in a third of the time, and what somebody
// does to the checkout meanwhile does not reach a run. POPFETCH names another start file, such as dist/popfetch.js.
import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import type { TestProject } from 'vitest/node'

declare module 'vitest' {
  interface ProvidedContext {
    popfetch: string
  }
}

const ROOT = join(import.meta.dirname, '../..')

export default function setup(project: TestProject): (() => void) | undefined {
  const given = process.env['POPFETCH']
  if (given !== undefined) {
    project.provide('popfetch', resolve(given))
    return undefined
  }
  const directory = mkdtempSync(join(tmpdir(), 'popfetch-build-'))
  const rolldown = join(ROOT, 'node_modules/.bin/rolldown')
  execFileSync(rolldown, ['-c', '.rolldown.config.js', '--logLevel', 'warn', '--dir', directory], { cwd: ROOT })
  project.provide('popfetch', join(directory, 'popfetch.js'))
  return () => rmSync(directory, { recursive: true, force: true })
}
