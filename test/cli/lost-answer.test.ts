// An answer that did not reach the disk is no success: `state export > file` on a full disk.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, openSync } from 'node:fs'
import { text } from 'node:stream/consumers'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { BIN, CACHE } from './child.ts'
import { Person } from './person.ts'

let person: Person
beforeEach(async () => {
  person = await Person.arrive()
  const account = 'host: 127.0.0.1, port: 1, tls: none, user: u, password: p, deliver: "maildir:Mail"'
  await person.write('.config/popfetch/config.yaml', `accounts: { a: { ${account} } }\n`)
})
afterEach(() => person[Symbol.asyncDispose]())

async function run(words: readonly string[], to: string) {
  const fd = openSync(to, 'w')
  const child = spawn(process.execPath, [BIN, ...words], {
    env: { ...person.env, NODE_COMPILE_CACHE: CACHE },
    stdio: ['ignore', fd, 'pipe'],
  })
  closeSync(fd)
  const closed = once(child, 'close') as Promise<[number | null]>
  const said = await text(child.stderr!)
  return { code: (await closed)[0], said }
}

test.each([['config', 'show'], ['config', 'schema'], ['status'], ['state', 'export'], ['check', '--json']])(
  'popfetch %s %s',
  async (...words) => {
    await run([], person.path('first'))
    const whole = await run(words, person.path('answer'))
    expect(whole.said).not.toContain('not whole')
    const { code, said } = await run(words, '/dev/full')
    expect(said).toMatch(/popfetch: the answer is incomplete: standard output could not be written \(ENOSPC\)\n/)
    // What went wrong otherwise counts for more.
    expect(code).toBe(whole.code === 0 ? 74 : whole.code)
  },
)

test('a poll that answers nothing is as it was', async () => {
  const { code, said } = await run([], '/dev/full')
  expect(code).toBe(75)
  expect(said).not.toContain('not whole')
})
