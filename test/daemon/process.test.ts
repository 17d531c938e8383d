// Real daemons against the fake server: started, spoken to, killed, started again, stopped.
import { once } from 'node:events'
import { existsSync, readdirSync, readFileSync, readlinkSync, statSync, truncateSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { describe, expect, test } from 'vitest'
import { isAlive, PASSWORD, Scene, until } from './scene.ts'

const SLOW = 60_000
const upTo = (count: number): number[] => Array.from({ length: count }, (_, at) => at + 1)

describe('a daemon', { timeout: SLOW }, () => {
  test('starts, is seen, wakes, reloads, survives being killed, and stops', async () => {
    await using scene = await Scene.create()
    const pid = await scene.daemon()
    scene.fill(3)
    expect(await scene.popfetch('wake')).toEqual({ code: 0, stdout: '', stderr: '' })
    await until(() => scene.letters().length === 3)
    await until(async () => (await scene.ask({ verb: 'status' }))?.accounts[0]?.polling === false)
    const status = JSON.parse((await scene.popfetch('status', '--json')).stdout)
    const since: unknown = expect.stringMatching(/^\d{4}-.*Z$/)
    expect(status).toMatchObject({ ok: true, accounts: [{ account: 'work' }], daemon: { running: true, pid, since } })
    expect(Date.parse(status.accounts[0].nextPoll) - Date.now()).toBeGreaterThan(50 * 60_000)

    scene.write('{ "state": "state.db", "accounts": { "work": { "hots": "h" } } }')
    const broken = await scene.popfetch('reload')
    expect([broken.code, broken.stderr]).toEqual([78, expect.stringContaining('did you mean host?')])
    scene.fill(1, 4)
    expect(await scene.wake('work')).toMatchObject([{ outcome: 'ok', delivered: 1 }])
    expect((await scene.popfetch('status')).stdout).toMatch(
      new RegExp(`daemon running since 20\\S+ \\S+ \\S+ \\(pid ${pid}\\)`),
    )

    scene.configure({ work: { limit: 100 }, home: {} })
    const reloaded = await scene.popfetch('reload', '--json')
    const changes = ['account home added', 'account work changed']
    expect(JSON.parse(reloaded.stdout)).toEqual({ ok: true, accounts: [], changes })
    scene.fill(2, 5, 'home')
    expect(await scene.wake('home')).toMatchObject([{ outcome: 'ok', delivered: 2 }])

    process.kill(pid, 'SIGKILL')
    await until(() => !isAlive(pid))
    expect(existsSync(scene.path('state.db.socket'))).toBe(true)
    const dead = JSON.parse((await scene.popfetch('status', '--json')).stdout)
    expect(dead.daemon).toEqual({ running: false, pid: null, since: null, version: null })
    const again = await scene.daemon()
    expect(again).not.toBe(pid)
    expect(await scene.wake()).toMatchObject([
      { outcome: 'ok', delivered: 0 },
      { outcome: 'ok', delivered: 0 },
    ])

    expect(await scene.popfetch('stop')).toEqual({ code: 0, stdout: '', stderr: '' })
    expect(isAlive(again)).toBe(false)
    expect(existsSync(scene.path('state.db.socket'))).toBe(false)
    expect(scene.letters()).toEqual(upTo(6))
    // Nor is a line of a message in the log, header or body (N030).
    expect(readFileSync(scene.path('popfetch.log'), 'utf8')).not.toMatch(/letter \d|a@example\.org|body \d/)
  })

  test('that was killed is missing to status --check (69), one that was stopped is not', async () => {
    await using scene = await Scene.create()
    const check = async (...args: string[]) => {
      const { code, stdout } = await scene.popfetch('status', '--check', ...args)
      return [code, stdout.trim()]
    }
    expect(await check()).toEqual([0, 'all is well'])
    const pid = await scene.daemon()
    expect(await check()).toEqual([0, 'all is well'])
    process.kill(pid, 'SIGKILL')
    await until(() => !isAlive(pid))
    expect(await check('--self')).toEqual([69, 'the daemon was started and does not run'])
    await scene.daemon()
    expect(await check('--self')).toEqual([0, 'all is well'])
    await scene.popfetch('stop')
    expect(await check()).toEqual([0, 'all is well'])
  })

  test('that is not there: stop is content, wake and reload are not (69)', async () => {
    await using scene = await Scene.create()
    expect(await scene.popfetch('stop')).toEqual({ code: 0, stdout: '', stderr: '' })
    const none: unknown = expect.stringMatching(/^popfetch: no daemon is running on this ledger: [^\n]*\n$/)
    for (const word of ['wake', 'reload']) {
      expect(await scene.popfetch(word)).toEqual({ code: 69, stdout: '', stderr: none })
    }
  })

  test('has a session of its own, no terminal, no open streams, no directory, no file for others (N017, N018)', async () => {
    await using scene = await Scene.create()
    const pid = await scene.daemon()
    const [, , , , group, session, terminal] = readFileSync(`/proc/${pid}/stat`, 'utf8')
      .replace(/\(.*\)/, 'popfetch')
      .split(' ')
    expect([group, session, terminal]).toEqual([String(pid), String(pid), '0'])
    expect(readlinkSync(`/proc/${pid}/cwd`)).toBe('/')
    for (const fd of [0, 1, 2]) expect(readlinkSync(`/proc/${pid}/fd/${fd}`)).toBe('/dev/null')
    expect(readFileSync(`/proc/${pid}/status`, 'utf8')).toMatch(/^Umask:\t0077$/m)
    expect(readFileSync(`/proc/${pid}/cmdline`, 'utf8')).toContain(`--config\0${scene.path('config.json')}\0`)
    // What others may see of it, or root in a crash report, has no password (N018).
    for (const file of ['cmdline', 'environ'])
      expect(readFileSync(`/proc/${pid}/${file}`, 'utf8')).not.toContain(PASSWORD)
    for (const file of ['state.db.socket', 'popfetch.log']) expect(statSync(scene.path(file)).mode & 0o777).toBe(0o600)
  })

  test('in the background has no standard error for a log (64)', async () => {
    await using scene = await Scene.create()
    const { code, stderr } = await scene.popfetch('--daemon', '--log-file', '-')
    expect([code, stderr]).toEqual([64, expect.stringMatching(/^popfetch: --log-file - needs --foreground: [^\n]*\n/)])
    expect(await scene.pid()).toBeNull()
  })

  test('is one for a ledger: a second one refuses (75), and leaves no file behind that could lie (N014)', async () => {
    await using scene = await Scene.create()
    const pid = await scene.daemon()
    const second = await scene.popfetch('--daemon')
    expect(second.code).toBe(75)
    expect(second.stderr).toContain(`a daemon (pid ${pid}) already uses this ledger`)
    const third = await scene.popfetch('--daemon', '--foreground')
    expect(third.code).toBe(75)
    expect(third.stderr).toContain('already uses this ledger')
    expect(await scene.pid()).toBe(pid)
    expect(readdirSync(scene.directory).filter((name) => name.includes('pid'))).toEqual([])
  })

  test('that cannot start says why, to whoever started it, and is gone', async () => {
    await using scene = await Scene.create()
    const other = createServer()
    other.listen(0, '127.0.0.1')
    await once(other, 'listening')
    const address = other.address()
    const port = typeof address === 'object' && address !== null ? address.port : 0
    scene.configure({ work: {} }, { daemon: { metrics: `127.0.0.1:${port}` } })
    const { code, stdout, stderr } = await scene.popfetch('--daemon')
    expect([code, stdout]).toEqual([78, ''])
    expect(stderr).toMatch(/^popfetch: cannot serve HTTP on 127\.0\.0\.1:\d+ \(EADDRINUSE\): [^\n]*\n$/)
    expect(await scene.pid()).toBeNull()
    other.close()
  })

  test('with a wrong configuration or account does not start, and nothing is made', async () => {
    await using scene = await Scene.create()
    expect((await scene.popfetch('--daemon', 'wrok')).stderr).toContain('did you mean "work"?')
    scene.write('{')
    expect((await scene.popfetch('--daemon')).code).toBe(78)
    expect(readdirSync(scene.directory).toSorted()).toEqual(['config.json'])
  })

  test('keeps the old configuration when the new one cannot be taken over as a whole (N002)', async () => {
    await using scene = await Scene.create()
    const pid = await scene.daemon('work')
    scene.configure({ home: {} })
    expect((await scene.popfetch('reload')).stderr).toContain('no account work, which is named on the command line')
    scene.configure({ work: {} }, { state: 'other.db' })
    const { code, stderr } = await scene.popfetch('reload', '--state', 'state.db')
    expect([code, stderr]).toEqual([78, expect.stringContaining('another ledger (state)')])
    scene.configure({ work: {} }, { log: { file: 'no/such/place.log' } })
    expect((await scene.popfetch('reload')).stderr).toContain('cannot open the log')
    scene.fill(1)
    expect(await scene.wake()).toMatchObject([{ delivered: 1 }])
    expect(await scene.pid()).toBe(pid)
    await until(() => scene.log().filter(({ msg }) => msg.startsWith('reload: the old configuration')).length === 3)
  })
})

describe('the log of a daemon', { timeout: SLOW }, () => {
  const fill = (file: string): void => {
    writeFileSync(file, '', { mode: 0o600 })
    truncateSync(file, 10_000_001)
  }

  test('is begun again at 10 MB, and popfetch log shows it', async () => {
    await using scene = await Scene.create()
    fill(scene.path('popfetch.log'))
    await scene.daemon()
    await until(() => existsSync(scene.path('popfetch.log.1')) && existsSync(scene.path('popfetch.log')))
    scene.fill(1)
    await scene.wake()
    await until(async () =>
      (await scene.popfetch('log', 'work')).stdout.includes('work: polled (outcome ok, delivered 1'),
    )
  })

  test('that somebody named is left to whoever turns their logs', async () => {
    await using scene = await Scene.create()
    scene.configure({ work: {} }, { log: { file: 'mine.log', format: 'text' } })
    fill(scene.path('mine.log'))
    await scene.daemon()
    scene.fill(1)
    await scene.wake()
    await until(() => readFileSync(scene.path('mine.log'), 'utf8').includes('work: polled (outcome ok, delivered 1'))
    expect(existsSync(scene.path('mine.log.1'))).toBe(false)
  })
})

describe('a plain popfetch beside it', { timeout: SLOW }, () => {
  test('lets it poll, and says what became of it', async () => {
    await using scene = await Scene.create()
    await scene.daemon()
    scene.fill(3)
    const { code, stdout, stderr } = await scene.popfetch('--json')
    expect([code, stderr]).toEqual([0, ''])
    expect(JSON.parse(stdout)).toMatchObject({ ok: true, accounts: [{ account: 'work', outcome: 'ok', delivered: 3 }] })
    await until(() => scene.log().some(({ msg, delivered }) => msg === 'polled' && delivered === 3))
    scene.server.faults.reply.set('PASS', '-ERR no')
    scene.server.faults.reply.set('AUTH', '-ERR no')
    const refused = await scene.popfetch()
    expect([refused.code, refused.stdout]).toEqual([77, ''])
    expect(refused.stderr).toMatch(/^popfetch: work: sign-in refused [^\n]*"no"[^\n]*\n$/)
  })

  test('polls itself when it wants what the other does not know: an option, an account, a changed file', async () => {
    await using scene = await Scene.create()
    await scene.daemon()
    scene.fill(3)
    const limited = await scene.popfetch('--json', '--limit', '1')
    expect(JSON.parse(limited.stdout)).toMatchObject({ accounts: [{ outcome: 'ok', delivered: 1 }] })
    scene.configure({ work: {}, home: {} })
    scene.fill(1, 4, 'home')
    const both = await scene.popfetch('--json')
    expect(JSON.parse(both.stdout)).toMatchObject({ accounts: [{ delivered: 2 }, { delivered: 1 }] })
    expect(scene.log().filter(({ msg }) => msg === 'polled')).toEqual([])
  })

  test('polls itself when the other ends meanwhile', async () => {
    await using scene = await Scene.create()
    const pid = await scene.daemon()
    scene.fill(1)
    scene.server.faults.onCommand = (verb) => (verb === 'LIST' ? { answer: '', next: 'stall' } : 'serve')
    const asked = scene.popfetch('--json')
    await scene.server.journal.when((entry) => entry.text.startsWith('LIST'))
    scene.server.faults.onCommand = null
    process.kill(pid, 'SIGKILL')
    expect(JSON.parse((await asked).stdout)).toMatchObject({ accounts: [{ outcome: 'ok', delivered: 1 }] })
  })
})

test('a path that is too long for a socket has it in XDG_RUNTIME_DIR', { timeout: SLOW }, async () => {
  await using scene = await Scene.create()
  const long = `${'d'.repeat(60)}/${'e'.repeat(60)}/state.db`
  scene.configure({ work: {} }, { state: long })
  const { code, stderr } = await scene.popfetch('--daemon')
  expect([code, stderr]).toEqual([78, expect.stringContaining('set XDG_RUNTIME_DIR')])
  scene.env['XDG_RUNTIME_DIR'] = scene.path('run')
  expect((await scene.popfetch('--daemon')).code).toBe(0)
  expect(readdirSync(scene.path('run', 'popfetch'))).toEqual([expect.stringMatching(/^[0-9a-f]{16}\.socket$/)])
  expect((await scene.popfetch('stop')).code).toBe(0)
})

describe('a delete that is changed for many accounts at once', { timeout: SLOW }, () => {
  const accounts = (count: number, deletion: string) =>
    Object.fromEntries(upTo(count).map((at) => [`a${at}`, { delete: deletion }]))

  test('is not taken over by reload without --yes, and with it removes what it should (S022)', async () => {
    await using scene = await Scene.create()
    scene.configure(accounts(21, 'never'))
    for (const at of upTo(21)) scene.fill(1, at, `a${at}`)
    await scene.daemon()
    await scene.wake()
    expect(scene.letters()).toHaveLength(21)

    scene.configure(accounts(21, 'after-delivery'))
    const refused = await scene.popfetch('reload')
    expect([refused.code, refused.stderr]).toEqual([
      78,
      expect.stringMatching(/delete was changed for 21 accounts at once.*popfetch reload --yes/),
    ])
    expect((await scene.wake())?.every(({ outcome, deleted }) => outcome === 'ok' && deleted === 0)).toBe(true)

    expect((await scene.popfetch('reload', '--yes')).code).toBe(0)
    expect((await scene.wake())?.every(({ outcome }) => outcome === 'ok')).toBe(true)
    expect(upTo(21).filter((at) => scene.server.mailbox(`a${at}`).messages.length > 0)).toEqual([])
    expect((await scene.popfetch('reload')).code).toBe(0)
  })

  test('for 20 accounts is taken over', async () => {
    await using scene = await Scene.create()
    scene.configure(accounts(20, 'never'))
    await scene.daemon()
    await scene.wake()
    scene.configure(accounts(20, '30d'))
    expect((await scene.popfetch('reload')).code).toBe(0)
  })
})
