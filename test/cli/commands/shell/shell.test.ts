// `popfetch shell`, as a child process that reads its commands from a pipe.
import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { BIN, CACHE, ended, type Ended } from '../../child.ts'
import { Scene } from '../../scene.ts'

let scene: Scene
beforeEach(async () => {
  scene = await Scene.start()
})
afterEach(() => scene[Symbol.asyncDispose]())

function start(...options: readonly string[]): ChildProcess {
  const args = [BIN, '--config', scene.path('config.json'), 'shell', ...options]
  const env = { NODE_COMPILE_CACHE: CACHE, PATH: process.env['PATH'], HOME: scene.directory }
  return spawn(process.execPath, args, { cwd: scene.directory, env, stdio: ['pipe', 'pipe', 'pipe'] })
}

/** The commands, each a line, then the end of input. */
async function typed(lines: readonly string[], ...options: readonly string[]): Promise<Ended> {
  const child = start(...options, 'work')
  child.stdin?.end(lines.map((line) => `${line}\n`).join(''))
  return await ended(child)
}

const heard = (): string[] => scene.server.journal.commands()
const left = (): number => scene.server.mailbox('alice').messages.length

describe('a shell', () => {
  test('is signed in, and answers what RFC 1939 has', async () => {
    scene.fill('one', 'two')
    const { code, stdout, stderr } = await typed(['stat', 'UIDL', 'list 2', 'top 1 0', 'noop', 'rset', 'quit'])
    expect([code, stderr]).toEqual([0, ''])
    const lines = stdout.split('\n')
    expect(lines[0]).toMatch(/^\+OK 2 \d+$/)
    expect(lines.slice(1, 4)).toEqual(['1 one', '2 two', expect.stringMatching(/^\+OK/)])
    expect(stdout).toContain('Subject: one')
    expect(heard().at(-1)).toBe('QUIT')
    expect(left()).toBe(2)
  })

  test('ends when nobody reads a long answer any more, and deletes nothing', async () => {
    scene.fill('one')
    scene.server.mailbox('alice').add(`Subject: long\r\n\r\n${'a line of it\r\n'.repeat(2_000_000)}`, { uidl: 'long' })
    const child = start('--raw', '--write', 'work')
    // The input stays open: only the reader has gone.
    child.stdin?.write('DELE 1\nRETR 2\nQUIT\n')
    await new Promise((resolve) => child.stdout?.once('data', resolve))
    child.stdout?.destroy()
    const [code] = (await once(child, 'close')) as [number | null]
    expect(code).toBe(0)
    expect(left()).toBe(2)
    expect(heard()).not.toContain('QUIT')
  })

  test('deletes nothing without --write, whatever is typed', async () => {
    scene.fill('one')
    const { stdout } = await typed(['dele 1', 'DELE 1', 'quit'])
    expect(stdout).toContain('popfetch shell --write')
    expect(heard().filter((line) => line.startsWith('DELE'))).toEqual([])
    expect(left()).toBe(1)
  })

  test.each([
    [['dele 1', 'quit'], 1, true],
    [['dele 1', 'rset', 'quit'], 2, true],
    [['dele 1'], 2, false],
    [['dele 1', 'rset'], 2, true],
    [['dele 7', 'quit'], 2, true],
  ])('with --write: %j', async (lines, remaining, quits) => {
    scene.fill('one', 'two')
    const { code } = await typed(lines, '--write')
    expect([code, left(), heard().includes('QUIT')]).toEqual([0, remaining, quits])
  })

  test.each([
    ['TOP', ['top 1 0'], false],
    ['RETR', ['retr 1', 'quit'], false],
    ['no message', ['stat', 'quit'], true],
  ])('sends no QUIT where that drops what was read: after %s (P129, EXPIRE 0)', async (_, lines, quits) => {
    scene.server.capabilities = { before: ['USER'], afterTls: [], afterLogin: ['USER', 'UIDL', 'TOP', 'EXPIRE 0'] }
    scene.fill('one')
    expect((await typed(lines)).code).toBe(0)
    expect(heard().includes('QUIT')).toBe(quits)
  })

  test('asks for QUIT once more where it would drop more than was marked (P129, EXPIRE 0)', async () => {
    scene.server.capabilities = { before: ['USER'], afterTls: [], afterLogin: ['USER', 'UIDL', 'TOP', 'EXPIRE 0'] }
    scene.fill('one', 'two')
    const lines = ['retr 1', 'dele 2', 'quit']
    expect((await typed(lines, '--write')).stdout).toContain('type QUIT again')
    expect(left()).toBe(2)
    await typed([...lines, 'quit'], '--write')
    expect(heard().at(-1)).toBe('QUIT')
  })

  test.each(['user bob', 'PASS hunter2', 'auth plain AGJvYg==', 'apop a b', 'stls', 'utf8', 'last'])(
    'sends nothing for %s',
    async (line) => {
      await typed([])
      const usual = heard()
      const { code, stdout } = await typed([line])
      expect(code).toBe(0)
      expect(stdout).not.toContain('hunter2')
      expect(heard().slice(usual.length)).toEqual(usual)
    },
  )

  test.each([
    ['retr', 'expected RETR n'],
    ['retr x', 'expected RETR n'],
    ['retr -1', 'expected RETR n'],
    ['retr 1 2', 'expected RETR n'],
    ['top 1', 'expected TOP n lines'],
    ['stat 1', 'expected STAT'],
    ['retrr 1', 'did you mean RETR?'],
    ['constructor', 'is not a command here'],
    ['quit now', 'expected QUIT'],
    ['help', 'TOP n lines'],
    ['\u001b[2J', '\\x1b[2J is not a command here'],
  ])('says what is wrong with %j, and sends nothing', async (line, says) => {
    const { code, stdout } = await typed([line])
    expect([code, stdout]).toEqual([0, expect.stringContaining(says)])
    expect(stdout).not.toContain('\u001b')
    expect(heard().some((command) => /^(RETR|TOP|STAT)/.test(command))).toBe(false)
  })

  test('shows a screen of a long answer, and all of it with --raw', async () => {
    const body = Array.from({ length: 100 }, (_, at) => `line ${at}`).join('\r\n')
    scene.server.mailbox('alice').add(`Subject: long\r\n\r\n${body}\r\n`, { uidl: 'long' })
    const short = await typed(['retr 1'])
    expect(short.stdout).toContain('(80 more lines: --raw shows all)')
    expect(short.stdout).not.toContain('line 99')
    const whole = await typed(['retr 1'], '--raw')
    expect(whole.stdout).toContain('line 99\n+OK')
  })

  test('cannot of a secret, and nothing that acts on a terminal', async () => {
    const secret = 'Zq8-tiger-49'
    scene.server
      .mailbox('bob', secret)
      .add(`Subject: \u001b[31m ${secret} \u202e\r\n\r\n${secret}\r\n`, { uidl: secret })
    await scene.configure({ work: { user: 'bob', password: secret } })
    const { stdout, stderr } = await typed(['top 1 5', 'uidl'], '--raw')
    expect(stdout).toContain('Subject: \\x1b[31m ****')
    for (const bad of [secret, '\u001b', '\u202e']) expect(stdout + stderr).not.toContain(bad)
  })

  test('records nothing but that it had the account', async () => {
    scene.fill('one')
    await typed(['retr 1'])
    expect(await scene.json('state', 'list', 'work').catch(() => 'nothing')).toBe('nothing')
    expect(await scene.mail()).toBe(0)
    await scene.popfetch()
    expect(await scene.mail()).toBe(1)
  })

  test('and a poll keep out of each other’s way', async () => {
    scene.fill('one')
    const child = start('work')
    const end = ended(child)
    child.stdin?.write('noop\n')
    await new Promise((resolve) => child.stdout?.once('data', resolve))
    expect(await scene.popfetch('--json')).toMatchObject({
      code: 0,
      stdout: expect.stringContaining('"outcome":"busy"') as string,
    })
    const second = await typed(['noop'])
    expect([second.code, second.stderr]).toEqual([75, expect.stringContaining('another popfetch is polling it')])
    child.stdin?.end()
    expect((await end).code).toBe(0)
  })

  test('ends with the code of what went wrong, and without QUIT', async () => {
    scene.fill('one')
    scene.server.faults.onCommand = (verb) => (verb === 'STAT' ? 'drop' : 'serve')
    const cut = await typed(['stat', 'noop'])
    expect([cut.code, cut.stderr]).toEqual([75, expect.stringMatching(/^popfetch: .*\n$/)])
    scene.server.faults.onCommand = () => 'serve'
    await scene.configure({ work: { password: 'wrong' } })
    expect((await typed(['stat'])).code).toBe(77)
    expect((await ended(start('wrok'))).code).toBe(64)
    expect((await ended(start())).code).toBe(64)
    expect((await ended(start('--json', 'work'))).code).toBe(64)
  })

  test('a signal ends it at once, without QUIT', async () => {
    scene.fill('one')
    const child = start('--write', 'work')
    const end = ended(child)
    child.stdin?.write('dele 1\n')
    await new Promise((resolve) => child.stdout?.once('data', resolve))
    child.kill('SIGINT')
    expect((await end).code).toBe(130)
    expect([left(), heard().includes('QUIT')]).toEqual([1, false])
  })
})

test('a log of the conversation masks what is secret', async () => {
  const log = scene.path('log')
  await typed(['stat'], '--log-file', log, '--log-level', 'trace')
  const text = await readFile(log, 'utf8')
  expect(text).toContain('C: STAT')
  expect(text).not.toContain('secret')
})
