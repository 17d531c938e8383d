import { copyFileSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { expect, test } from 'vitest'
import { loadConfiguration } from '../src/config/load.ts'

const folder = path.join(import.meta.dirname, '../examples')
const files = readdirSync(folder).filter((file) => file.endsWith('.yaml'))

test.each(files)('examples/%s is a configuration that popfetch takes', async (file) => {
  const directory = mkdtempSync(path.join(tmpdir(), 'popfetch-example-'))
  try {
    // As a person would have it: private, in a folder of their own.
    copyFileSync(path.join(folder, file), path.join(directory, file))
    const load = loadConfiguration({ file, state: null, env: { HOME: directory }, cwd: directory, uid: 0 })
    expect((await load).accounts).not.toHaveLength(0)
  } finally {
    rmSync(directory, { recursive: true })
  }
})
