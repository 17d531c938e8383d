// A directory of its own for each test, and messages to put into it.
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { onTestFinished } from 'vitest'

export * from './letters.ts'

export function directory(): string {
  const made = fs.mkdtempSync(path.join(os.tmpdir(), 'popfetch-'))
  onTestFinished(() => fs.rmSync(made, { recursive: true, force: true }))
  return made
}
