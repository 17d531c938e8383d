// `popfetch log`, on files as a daemon writes them.
import { execFileSync } from 'node:child_process'
import { writeFile } from 'node:fs/promises'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { readEntry } from '../../../../src/cli/commands/log/entry.ts'
import { World } from '../../world.ts'

let world: World
beforeEach(async () => {
  world = await World.make()
  const account = { host: 'pop.example.net', user: 'alice', password: 'secret', deliver: 'maildir:Mail' }
  const configuration = { accounts: { work: account, home: { ...account, user: 'bob' } }, state: 'state.db' }
  await writeFile(`${world.directory}/config.json`, JSON.stringify(configuration), { mode: 0o600 })
  world.env = { POPFETCH_CONFIG: `${world.directory}/config.json` }
})
afterEach(() => world[Symbol.asyncDispose]())

const HOUR_MS = 3_600_000

function line(hoursAgo: number, facts: object): string {
  return JSON.stringify({
    level: 'info',
    time: new Date(world.nowMs - hoursAgo * HOUR_MS).toISOString(),
    pid: 1,
    ...facts,
  })
}

async function write(lines: readonly string[], file = 'popfetch.log'): Promise<void> {
  await writeFile(`${world.directory}/${file}`, lines.map((each) => `${each}\n`).join(''))
}

async function shown(words: string): Promise<string[]> {
  expect(await world.run(words)).toBe(0)
  return world.stdout.text
    .split('\n')
    .filter(Boolean)
    .map((text) => text.slice('2026-11-29 '.length + '12:34:56 '.length))
}

describe('log', () => {
  test('shows lines for people, oldest first', async () => {
    await write([
      line(3, { msg: 'polled', account: 'work', delivered: 2, held: 0, bytes: 4096 }),
      line(2, { level: 'error', msg: 'sign-in refused', account: 'home', error: 'ERR_AUTH' }),
      line(1, { level: 'warn', msg: 'slow' }),
    ])
    expect(await shown('log')).toEqual([
      'work: polled (delivered 2, bytes 4096)',
      'error: home: sign-in refused (error ERR_AUTH)',
      'warning: slow',
    ])
  })

  test('shows the newest hundred, or as many as are asked for', async () => {
    await write(Array.from({ length: 150 }, (_, at) => line(1, { msg: `number ${at}` })))
    const lines = await shown('log')
    expect([lines.length, lines[0], lines.at(-1)]).toEqual([100, 'number 50', 'number 149'])
    expect(await shown('log --lines 2')).toEqual(['number 148', 'number 149'])
  })

  test.each([
    ['--since 90m', ['c', 'd']],
    ['--since 1d', ['b', 'c', 'd']],
    ['--since 30d', ['a', 'b', 'c', 'd']],
    ['--since 30d --lines 1', ['d']],
    ['--since 30d work', ['b', 'd']],
    ['--since 30d work home', ['b', 'c', 'd']],
    ['--since 30d --log-level warn', ['c']],
  ])('%s', async (words, texts) => {
    await write([line(30, { msg: 'a' }), line(20, { msg: 'b', account: 'work' })], 'popfetch.log.1')
    await write([line(1, { msg: 'c', account: 'home', level: 'warn' }), line(0, { msg: 'd', account: 'work' })])
    expect((await shown(`log ${words}`)).map((text) => text.at(-1))).toEqual(texts)
  })

  test('--since takes a time, local unless it says otherwise', async () => {
    await write([line(48, { msg: 'a' }), line(1, { msg: 'b' })])
    const day = new Date(world.nowMs - 30 * HOUR_MS)
    expect(await shown(`log --since ${day.toISOString()}`)).toEqual(['b'])
  })

  test.each(['yesterday', '2026-13-01', '-1h', '5'])('--since %s is wrong usage', async (since) => {
    expect(await world.run(`log --since=${since}`)).toBe(64)
    expect(world.stderr.text).toMatch(/^popfetch: --since must be a span .*\n$/)
  })

  test('--json prints the lines as they are', async () => {
    const lines = [line(2, { msg: 'ü', level: 30 }), 'not ours']
    await write(lines)
    expect(await world.run('log --json')).toBe(0)
    const [first = '', second = ''] = world.stdout.text.split('\n')
    expect([JSON.parse(first), JSON.parse(second)]).toEqual([JSON.parse(lines[0] ?? ''), { msg: 'not ours' }])
  })

  test('without a log is 69', async () => {
    expect(await world.run('log')).toBe(69)
    expect(world.stderr.text).toMatch(/^popfetch: there is no log .*popfetch\.log: .*\n$/)
  })

  test('of a pipe or a folder is 69 as well, and does not wait', async () => {
    execFileSync('mkfifo', [`${world.directory}/popfetch.log`])
    expect(await world.run('log')).toBe(69)
    expect(await world.run('log --log-file .')).toBe(69)
  })

  test('names an account that there is not', async () => {
    expect(await world.run('log wrok')).toBe(64)
    expect(world.stderr.text).toContain('did you mean "work"?')
  })

  test('--follow goes on until it is interrupted', async () => {
    await write([line(1, { msg: 'old' })])
    const run = world.run('log --follow')
    await expect.poll(() => world.stdout.text).toContain('old')
    await write([line(1, { msg: 'old' }), line(0, { msg: 'new', account: 'work' })])
    await expect.poll(() => world.stdout.text).toContain('work: new')
    world.interruption = 130
    world.controller.abort()
    expect(await run).toBe(130)
  })
})

describe('a line of a log', () => {
  test.each([
    ['of an older popfetch', '{"level":50,"time":"2026-11-29T08:00:00.000Z","pid":1,"msg":"m"}', 'error'],
    ['for people', '2026-11-29 08:00:00 error: work: m', 'error'],
    ['for people, a warning', '2026-11-29 08:00:00 warning: m', 'warn'],
    ['for people, of no weight', '2026-11-29 08:00:00 m', 'info'],
  ])('%s has a level and a time', (_, text, level) => {
    expect(readEntry(text)).toMatchObject({ level, atMs: expect.any(Number) as number })
  })

  test.each(['{', '{}', '[]', 'null', '{"level":31,"time":"x","msg":1}', '{"__proto__":{"level":30}}', 'x'])(
    'that is none of ours, %s, is shown as it is',
    (text) => {
      expect(readEntry(text)).toMatchObject({ level: null, account: null, atMs: null, text })
    },
  )

  test('cannot act on a terminal', () => {
    const time = '2026-11-29T08:00:00.000Z'
    const hostile = '\u001b[2J\u202e'
    const entry = readEntry(JSON.stringify({ level: 'info', time, msg: hostile, account: hostile, [hostile]: hostile }))
    for (const { text } of [entry, readEntry(`x${hostile}`)]) {
      expect(text).not.toContain('\u001b')
      expect(text).not.toContain('\u202e')
    }
  })
})
