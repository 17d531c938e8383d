// The one runner of programs, with real programs. What they are given, what is told of their end, and that nothing of them
// hangs or stays. Limits of time are reached by the test's own clock.
import { closeSync, existsSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { type Ending, NO_INPUT, NO_OUTPUT, type Program, runProgram } from '../src/program.ts'

const PATH = process.env['PATH'] ?? ''
const LIMIT_MS = 60_000
const GRACE_MS = 5000
const LINGER_MS = 1000

let folder = ''

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'popfetch-program-'))
})

afterEach(() => {
  vi.useRealTimers()
  rmSync(folder, { recursive: true })
})

function run(command: readonly string[], options: Partial<Program> = {}): Promise<Ending> {
  return runProgram({
    command,
    env: { PATH },
    cwd: '/',
    stdin: NO_INPUT,
    stdout: { keep: 'last', limitBytes: 2048 },
    stderr: { keep: 'last', limitBytes: 2048 },
    limitMs: LIMIT_MS,
    graceMs: GRACE_MS,
    signal: new AbortController().signal,
    ...options,
  })
}

/** A script for the shell; `$0` is a path under which it may leave files. */
function sh(script: string, options?: Partial<Program>): Promise<Ending> {
  return run(['/bin/sh', '-c', script, join(folder, 'x')], options)
}

async function said(ending: Promise<Ending>): Promise<string> {
  const { stdout } = await ending
  return stdout.toString('latin1')
}

/** The first line of a file, once it is there and whole. The test's own time limit ends it. */
async function written(name: string): Promise<string> {
  for (;;) {
    const file = join(folder, name)
    const text = existsSync(file) ? readFileSync(file, 'latin1') : ''
    if (text.endsWith('\n')) return text.trim()
    await turn()
  }
}

function turn(): Promise<void> {
  return new Promise((next) => setImmediate(next))
}

/** Resolves when the process is dead, buried or not. */
async function gone(pid: number): Promise<void> {
  while (isAlive(pid)) await turn()
}

function isAlive(pid: number): boolean {
  try {
    return !/^\d+ \(.*\) Z/.test(readFileSync(`/proc/${pid}/stat`, 'latin1'))
  } catch {
    return false
  }
}

/** From now on time passes when the test says so. */
function stopTheClock(): void {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
}

describe('a program gets', () => {
  test('its arguments as they are written, without a shell', async () => {
    expect(await said(run(['printf', '[%s]', '$HOME', '; ls', '', '*']))).toBe('[$HOME][; ls][][*]')
  })

  test('the environment that is passed and nothing else', async () => {
    expect(await said(run(['/usr/bin/env'], { env: { ONE: '1', TWO: undefined } }))).toBe('ONE=1\n')
  })

  test('the directory that is passed, or popfetch’s own', async () => {
    expect(await said(run(['pwd'], { cwd: '/usr' }))).toBe('/usr\n')
    expect(await said(run(['pwd'], { cwd: null }))).toBe(`${process.cwd()}\n`)
  })

  test('its input from a descriptor, which stays open, from bytes, or none', async () => {
    const file = join(folder, 'in')
    writeFileSync(file, 'from a file')
    const descriptor = openSync(file, 'r')
    expect(await said(run(['cat'], { stdin: descriptor }))).toBe('from a file')
    closeSync(descriptor)
    expect(await said(run(['cat'], { stdin: Buffer.from('from memory') }))).toBe('from memory')
    expect(await said(run(['cat']))).toBe('')
  })

  test('more bytes than it reads without harm', async () => {
    expect(await run(['true'], { stdin: Buffer.alloc(10_000_000) })).toMatchObject({ code: 0, ended: null })
  })
})

describe('of its end is told', () => {
  test.each([0, 1, 75, 255])('the exit code %i', async (code) => {
    expect(await sh(`exit ${code}`)).toMatchObject({ code, signal: null, ended: null })
  })

  test('the signal that ended it', async () => {
    expect(await sh('kill -SEGV $$')).toMatchObject({ code: null, signal: 'SIGSEGV', ended: null })
  })

  test('the system’s error when it cannot be started', async () => {
    writeFileSync(join(folder, 'text'), 'no program\n', { mode: 0o600 })
    writeFileSync(join(folder, 'script'), '#!/no/such/interpreter\n', { mode: 0o700 })
    await expect(run(['no-such-program'], { env: { PATH: folder } })).rejects.toMatchObject({ code: 'ENOENT' })
    await expect(run([join(folder, 'script')])).rejects.toMatchObject({ code: 'ENOENT' })
    await expect(run([join(folder, 'text')])).rejects.toMatchObject({ code: 'EACCES' })
    await expect(run(['true'], { cwd: join(folder, 'nowhere') })).rejects.toMatchObject({ code: 'ENOENT' })
  })
})

describe('of its output', () => {
  test('an answer is kept whole, however it is cut in pieces', async () => {
    const ending = await sh('for n in 1 2 3 4 5; do printf "%s" $n; sleep 0; done', {
      stdout: { keep: 'all', limitBytes: 5 },
    })
    expect(ending).toMatchObject({ code: 0, ended: null })
    expect(ending.stdout.toString()).toBe('12345')
  })

  test('one byte more than an answer may have ends it, also when it would have run on', async () => {
    const stdout = { keep: 'all', limitBytes: 5 } as const
    expect(await sh('printf 123456', { stdout })).toMatchObject({ ended: 'output limit' })
    expect(await sh('echo $$ > "$0.pid"; printf 123456; sleep 1000', { stdout })).toMatchObject({
      ended: 'output limit',
      signal: 'SIGTERM',
    })
    await gone(Number(await written('x.pid')))
  })

  test('the end is kept where only its last words count', async () => {
    const last = { keep: 'last', limitBytes: 4 } as const
    const script = 'head -c 3000000 /dev/zero; echo out; head -c 3000000 /dev/zero >&2; echo err >&2; exit 1'
    const { stdout, stderr } = await sh(script, { stdout: last, stderr: last })
    expect([stdout.toString(), stderr.toString()]).toEqual(['out\n', 'err\n'])
  })

  test('nothing is kept where nobody reads it', async () => {
    const { code, stdout, stderr } = await sh('echo out; echo err >&2', { stdout: NO_OUTPUT, stderr: NO_OUTPUT })
    expect([code, stdout.length, stderr.length]).toEqual([0, 0, 0])
  })
})

describe('what it left behind (D093)', () => {
  const BEHIND = 'echo $$ > "$0.self"; sleep 1000 & echo $! > "$0.pid"; echo out; echo err >&2;'

  test('runs on after exit code 0, and is not waited for', async () => {
    stopTheClock()
    expect(await sh(`${BEHIND} exit 0`)).toMatchObject({ code: 0 })
    const pid = Number(await written('x.pid'))
    expect(isAlive(pid)).toBe(true)
    process.kill(pid)
  })

  test('may still bring a part of the answer', async () => {
    stopTheClock()
    const later = '(until [ -e "$0.go" ]; do sleep 0.01; done; printf rest) &'
    const ending = sh(`echo $$ > "$0.self"; ${later} printf first-; exit 0`, {
      stdout: { keep: 'all', limitBytes: 10 },
    })
    await gone(Number(await written('x.self')))
    writeFileSync(join(folder, 'x.go'), '')
    expect(await said(ending)).toBe('first-rest')
  })

  test('is waited for shortly where the output is an answer, and runs on', async () => {
    stopTheClock()
    const ending = sh(`${BEHIND} exit 0`, { stdout: { keep: 'all', limitBytes: 10 } })
    const pid = Number(await written('x.pid'))
    await lingered(ending)
    expect(await said(ending)).toBe('out\n')
    expect(isAlive(pid)).toBe(true)
    process.kill(pid)
  })

  test('is killed after a failure, when its last words have come', async () => {
    stopTheClock()
    const ending = sh(`${BEHIND} exit 75`)
    await lingered(ending)
    expect(await ending).toMatchObject({ code: 75, stderr: Buffer.from('err\n') })
    await gone(Number(await written('x.pid')))
  })
})

describe('it is ended', () => {
  test('by SIGTERM when its time is over, with all that it started', async () => {
    stopTheClock()
    const ending = sh('sleep 1000 & echo $! > "$0.pid"; wait')
    const pid = Number(await written('x.pid'))
    vi.advanceTimersByTime(LIMIT_MS)
    expect(await ending).toMatchObject({ signal: 'SIGTERM', ended: 'time limit' })
    await gone(pid)
  })

  test('by SIGKILL some time after that, where it does not hear, with all that it started', async () => {
    stopTheClock()
    const deaf = 'trap "echo > $0.heard" TERM; echo $$ > "$0.child"; while :; do sleep 0.01; done'
    const ending = sh(`sh -c '${deaf}' "$0" & trap "" TERM; echo > "$0.deaf"; while :; do wait; done`)
    await written('x.deaf')
    const pid = Number(await written('x.child'))
    vi.advanceTimersByTime(LIMIT_MS)
    await written('x.heard')
    expect(isAlive(pid)).toBe(true)
    vi.advanceTimersByTime(GRACE_MS)
    expect(await ending).toMatchObject({ signal: 'SIGKILL', ended: 'time limit' })
    await gone(pid)
  })

  test('and what it left behind as well, when it ends cleanly meanwhile', async () => {
    stopTheClock()
    const deaf = `trap "" TERM; echo $$ > "$0.child"; while :; do sleep 1; done`
    const ending = sh(`trap "exit 0" TERM; sh -c '${deaf}' "$0" & while :; do wait; done`)
    const pid = Number(await written('x.child'))
    vi.advanceTimersByTime(LIMIT_MS)
    expect(await ending).toMatchObject({ code: 0, ended: 'time limit' })
    await gone(pid)
  })

  test('by SIGKILL at once when the signal is given, also while it is being asked to end', async () => {
    stopTheClock()
    const script = 'trap "echo > $0.heard" TERM; echo $$ > "$0.pid"; while :; do sleep 0.01; done'
    const abort = new AbortController()
    const ending = sh(script, { signal: abort.signal })
    await written('x.pid')
    abort.abort()
    expect(await ending).toMatchObject({ signal: 'SIGKILL', ended: 'abort' })
    expect(existsSync(join(folder, 'x.heard'))).toBe(false)

    rmSync(join(folder, 'x.pid'))
    const later = new AbortController()
    const slow = sh(script, { signal: later.signal })
    await written('x.pid')
    vi.advanceTimersByTime(LIMIT_MS)
    await written('x.heard')
    later.abort()
    expect(await slow).toMatchObject({ signal: 'SIGKILL', ended: 'time limit' })
  })

  test('and never begun, when the signal was given before', async () => {
    expect(await sh('echo > "$0.begun"', { signal: AbortSignal.abort() })).toMatchObject({ code: null, ended: 'abort' })
    expect(existsSync(join(folder, 'x.begun'))).toBe(false)
  })
})

/** Waits until the program is dead, then lets pass what its output is waited for. */
async function lingered(ending: Promise<Ending>): Promise<void> {
  await gone(Number(await written('x.self')))
  const settled = ending.then(() => true)
  while (!(await Promise.race([settled, turn().then(() => false)]))) vi.advanceTimersByTime(LINGER_MS)
}
