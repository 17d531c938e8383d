import { spawn } from 'node:child_process'
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'

let directory = ''
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'popfetch-test-'))
})
afterEach(() => rm(directory, { recursive: true, force: true }))

const samples = join(import.meta.dirname, '..', '..', 'examples', 'mail')

async function run(): Promise<{ code: number | null; output: string }> {
  const child = spawn(process.execPath, [join(import.meta.dirname, 'demo.ts')], {
    env: { ...process.env, TMPDIR: directory },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const chunks: string[] = []
  child.stdout.on('data', (chunk: Buffer) => chunks.push(chunk.toString()))
  child.stderr.on('data', (chunk: Buffer) => chunks.push(chunk.toString()))
  const code = await new Promise<number | null>((resolve) => {
    child.on('close', resolve)
  })
  return { code, output: chunks.join('') }
}

test('the demo brings every sample into a Maildir as it is, nothing twice, and says plain lines without a terminal', async () => {
  const { code, output } = await run()
  expect([code, output]).toEqual([0, expect.stringContaining('Messages before: 14. After: 14.')])
  // eslint-disable-next-line no-control-regex
  expect(output).not.toMatch(/[\u001b\r]/)
  const [made = ''] = await readdir(directory)
  const delivered: string[] = []
  for (const account of ['alice', 'bob', 'carol']) {
    const folder = join(directory, made, 'mail', account, 'new')
    for (const file of await readdir(folder)) delivered.push(await readFile(join(folder, file), 'latin1'))
  }
  for (const name of await readdir(samples)) {
    const sample = await readFile(join(samples, name), 'latin1')
    // 02 is in two mailboxes.
    expect([
      name,
      delivered.filter((text) => text.startsWith('Received: ') && text.endsWith(`\n${sample}`)).length,
    ]).toEqual([name, name.startsWith('02') ? 2 : 1])
  }
})
