// A program as a destination, with real programs: what it is given, what its end means, and that nothing of it hangs or
// leaks (D090–D095).
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import fs from 'node:fs'
import path from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { describe, expect, test } from 'vitest'
import { openCommand, type CommandContext } from '../../../src/deliver/command/command.ts'
import type { Destination } from '../../../src/deliver/destination.ts'
import { traceField } from '../../../src/deliver/envelope.ts'
import { Reserve } from '../../../src/deliver/disk/reserve.ts'
import { DeliveryError, PopfetchError } from '../../../src/errors.ts'
import type { Message } from '../../../src/message.ts'
import { asLf, attempt, directory, large, message, never, NOW_MS, ODD, origin, SMALL } from '../scene.ts'

interface Options extends Partial<CommandContext> {
  readonly timeoutMs?: number
  readonly concurrency?: number
  readonly added?: Readonly<Record<string, string>>
  readonly cwd?: string
}

const PATH = process.env['PATH'] ?? ''

function open(
  run: readonly string[],
  { timeoutMs = 60_000, concurrency = 1, added = {}, cwd, ...context }: Options = {},
): Destination {
  return openCommand(
    { run, env: added, cwd: cwd ?? null, timeoutMs, concurrency, description: `command ${run[0]}` },
    {
      env: { PATH, HOME: '/home/alice', LOGNAME: 'alice', LANG: 'C', SMTP_TOKEN: 'hunter2' },
      spoolDirectory: path.join(directory(), 'spool'),
      prefix: () => '',
      reserve: new Reserve(),
      graceMs: 50,
      ...context,
    },
  )
}

function sh(script: string, options?: Options): Destination {
  return open(['sh', '-c', script], options)
}

async function failure(work: Promise<unknown>): Promise<DeliveryError> {
  const error = await work.then(
    () => null,
    (thrown: unknown) => thrown,
  )
  if (error instanceof DeliveryError) return error
  throw new Error(`no DeliveryError but ${String(error)}`)
}

/** Resolves when the file is there with something in it; a test's own time limit ends it. */
async function written(file: string): Promise<string> {
  for (;;) {
    const text = fs.existsSync(file) ? fs.readFileSync(file, 'latin1') : ''
    if (text.endsWith('\n')) return text.trim()
    await pause(5)
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
  } catch {
    return false
  }
  // A child of the test's init that nobody has buried yet is dead all the same.
  return !/^State:\s+Z/m.test(fs.readFileSync(`/proc/${pid}/status`, 'latin1'))
}

async function gone(pid: number): Promise<void> {
  while (isAlive(pid)) await pause(5)
}

describe('a program gets', () => {
  test.each([
    ['a small message', message(SMALL)],
    ['odd bytes', message(ODD)],
    ['nothing, for an empty message', message(Buffer.alloc(0))],
    ['a line without an end', message(Buffer.from('a\r\nb'))],
  ])('%s with LF line ends and not a byte else changed', async (_, one) => {
    const out = path.join(directory(), 'out')
    await using command = open(['sh', '-c', 'cat > "$0"', out])
    const receipt = await command.deliver(attempt(), one, never)
    expect(receipt.text).toBe('command sh: done')
    const { body } = one
    expect(fs.readFileSync(out)).toEqual(body.kind === 'memory' ? asLf(body.bytes) : null)
  })

  test('a large message from its spool file the same way', async () => {
    const folder = directory()
    const [spool, out] = [path.join(folder, 'in'), path.join(folder, 'out')]
    fs.writeFileSync(spool, large())
    const one: Message = {
      ...message(large()),
      body: { kind: 'file', path: spool, form: { lineEndings: 'crlf', prefixBytes: 0 } },
    }
    await using command = open(['sh', '-c', 'cat > "$0"', out])
    await command.deliver(attempt(), one, never)
    expect(fs.readFileSync(out).equals(asLf(large()))).toBe(true)
    expect(fs.existsSync(spool)).toBe(true)
  })

  test('the fields of popfetch on top', async () => {
    const out = path.join(directory(), 'out')
    const prefix = traceField(origin(), { hostName: 'laptop', nowMs: NOW_MS })
    await using command = open(['sh', '-c', 'cat > "$0"', out], { prefix: () => prefix })
    await command.deliver(attempt(), message(SMALL), never)
    expect(fs.readFileSync(out, 'latin1')).toBe(prefix.replaceAll('\r\n', '\n') + asLf(SMALL).toString('latin1'))
  })

  test('a regular file without a name, at its beginning, of which nothing stays behind (D091)', async () => {
    const folder = directory()
    const spoolDirectory = path.join(folder, 'spool')
    const out = path.join(folder, 'out')
    const script = 'stat -L -c "%F %h %s" /proc/self/fd/0 > "$0"; ls -A "$1" >> "$0"'
    await using command = open(['sh', '-c', script, out, spoolDirectory], { spoolDirectory })
    await command.deliver(attempt(), message(SMALL), never)
    expect(fs.readFileSync(out, 'latin1')).toBe(`regular file 0 ${asLf(SMALL).length}\n`)
    expect(fs.statSync(spoolDirectory).mode & 0o777).toBe(0o700)
  })

  test('an environment of these names and no other, and no descriptor of ours (D095)', async () => {
    const out = path.join(directory(), 'out')
    const script = 'env > "$0"; for fd in /proc/self/fd/*; do readlink "$fd" >> "$0.fds"; done; true'
    // One of ours that is open meanwhile.
    const secret = path.join(directory(), 'secret')
    const fd = fs.openSync(secret, 'w')
    await using command = open(['sh', '-c', script, out])
    const one = message(Buffer.from('Return-Path: <ada@example.org>\r\n\r\n'), {
      ...origin('uid\n\x1b\xe9\0$(id)'),
      user: 'alice@example.net',
    })
    await command.deliver(attempt(), one, never)
    fs.closeSync(fd)
    expect(fs.readFileSync(`${out}.fds`, 'latin1')).not.toContain(secret)
    const lines = fs.readFileSync(out, 'latin1').trim().split('\n')
    // Without the shell's own.
    const own = lines.filter((line) => !/^(PWD|OLDPWD|SHLVL|_)=/.test(line))
    expect(own.sort()).toEqual(
      [
        'HOME=/home/alice',
        'LANG=C',
        'LOGNAME=alice',
        'USER=alice',
        `PATH=${PATH}`,
        'POPFETCH_ACCOUNT=old-isp',
        'POPFETCH_UIDL=uid\\x0a\\x1b\\xe9\\x00$(id)',
        'RECIPIENT=alice@example.net',
        'SENDER=ada@example.org',
      ].sort(),
    )
  })

  test('the variables of `env`, which win over PATH and HOME', async () => {
    const out = path.join(directory(), 'out')
    const added = { NOTMUCH_CONFIG: '/home/alice/a b', HOME: '/elsewhere' }
    await using command = open(['sh', '-c', 'printf "%s|%s" "$NOTMUCH_CONFIG" "$HOME" > "$0"', out], { added })
    await command.deliver(attempt(), message(SMALL), never)
    expect(fs.readFileSync(out, 'latin1')).toBe('/home/alice/a b|/elsewhere')
  })

  test('a program that only the PATH of `env` has', async () => {
    const folder = directory()
    fs.writeFileSync(path.join(folder, 'agent-of-mine'), '#!/bin/sh\nexit 0\n', { mode: 0o700 })
    await using command = open(['agent-of-mine'], { added: { PATH: `${folder}:${PATH}` } })
    await command.ready(never)
    await command.deliver(attempt(), message(SMALL), never)
  })

  test('/ as its folder, or the one of `cwd`', async () => {
    const cwd = fs.realpathSync(directory())
    const out = path.join(cwd, 'out')
    for (const options of [{}, { cwd }]) {
      await using command = open(['sh', '-c', 'pwd >> "$0"', out], options)
      await command.deliver(attempt(), message(SMALL), never)
    }
    expect(fs.readFileSync(out, 'latin1')).toBe(`/\n${cwd}\n`)
  })

  test.each(['missing', 'file'])('no folder that is %s: that is said, and the mail stays', async (kind) => {
    const cwd = path.join(directory(), 'place')
    if (kind === 'file') fs.writeFileSync(cwd, '')
    await using command = open(['sh', '-c', 'true'], { cwd })
    const error = await failure(command.deliver(attempt(), message(SMALL), never))
    expect(error.message).toBe(
      `command sh: cannot be run in ${cwd}, which is not a directory: create it, or correct cwd`,
    )
    expect(error.verdict).toBe('temporary')
  })

  test.each([
    ['<>', ''],
    ['<-oQ/tmp@x.org>', '-oQ/tmp@x.org'],
    ['<$(id)@x.org>', ''],
    ['<a@x.org\r\n PATH=/evil>', ''],
    ['nobody', ''],
  ])('as SENDER of %j: %j, which is text and never run (D094)', async (returnPath, expected) => {
    const out = path.join(directory(), 'out')
    await using command = open(['sh', '-c', 'printf "%s" "$SENDER" > "$0"', out])
    await command.deliver(attempt(), message(Buffer.from(`Return-Path: ${returnPath}\r\n\r\n`)), never)
    expect(fs.readFileSync(out, 'latin1')).toBe(expected)
  })

  test('its arguments as they are written, without a shell', async () => {
    const out = path.join(directory(), 'out')
    await using command = open([
      'sh',
      '-c',
      'for a in "$@"; do printf "[%s]" "$a"; done > "$0"',
      out,
      '$(id)',
      '; ls',
      '',
      '*',
    ])
    await command.deliver(attempt(), message(SMALL), never)
    expect(fs.readFileSync(out, 'latin1')).toBe('[$(id)][; ls][][*]')
  })
})

test('popfetch killed meanwhile does not cut the message short: the program has a whole file, not a pipe (D091)', async () => {
  const folder = directory()
  const [started, go, out] = ['started', 'go', 'out'].map((name) => path.join(folder, name))
  const script = 'echo $$ > "$0"; while ! [ -e "$1" ]; do sleep 0.01; done; cat > "$2"; echo "done" > "$2.done"'
  const run = ['sh', '-c', script, started ?? '', go ?? '', out ?? '']
  const victim = path.join(import.meta.dirname, 'command-victim.ts')
  const popfetch = spawn(process.execPath, [victim, path.join(folder, 'spool'), ...run], { stdio: 'ignore' })
  await written(started ?? '')
  popfetch.kill('SIGKILL')
  await once(popfetch, 'exit')
  fs.writeFileSync(go ?? '', '')
  await written(`${out}.done`)
  expect(fs.readFileSync(out ?? '').equals(asLf(large()))).toBe(true)
  expect(fs.readdirSync(path.join(folder, 'spool'))).toEqual([])
})

describe('its end', () => {
  test('with 0 is a delivery, also when it read nothing: the file had it all (D092)', async () => {
    await using command = open(['true'])
    await command.deliver(attempt(), message(large()), never)
  })

  test('with another code fails, with what it said', async () => {
    await using command = sh('cat > /dev/null; echo nonsense; echo "no such user: \u001b[1m" >&2; exit 67')
    const error = await failure(command.deliver(attempt(), message(SMALL), never))
    expect(error).toMatchObject({ verdict: 'refused', scope: 'message' })
    expect(error.message).toBe(
      'command sh: it exited with 67 (no such user) and said "no such user: \\x1b[1m": it stays on the server',
    )
  })

  test.each([
    'echo why >&2',
    'echo why > /dev/stderr',
    'echo why >> /dev/stderr',
    'echo why > /dev/stdout',
    'echo why',
  ])('is told with what it said by %s, which any program may use (D130)', async (says) => {
    await using command = sh(`set -e; cat > /dev/null; ${says}; exit 67`)
    const error = await failure(command.deliver(attempt(), message(SMALL), never))
    expect(error.message).toBe('command sh: it exited with 67 (no such user) and said "why": it stays on the server')
  })

  test('leaves no file of what it said', async () => {
    const folder = directory()
    await using command = sh('echo why >&2', { spoolDirectory: folder })
    await command.deliver(attempt(), message(SMALL), never)
    expect(fs.readdirSync(folder)).toEqual([])
  })

  test('is waited for until the hand-over is noted, and does not begin where that fails (S042)', async () => {
    const out = path.join(directory(), 'out')
    await using command = open(['sh', '-c', 'cat > "$0"', out])
    const wrong = new PopfetchError('ERR_LEDGER', 'disk full', { scope: 'process', retry: 'later' })
    const handingOver = (): Promise<void> => Promise.reject(wrong)
    await expect(command.deliver({ ...attempt(), handingOver }, message(SMALL), never)).rejects.toBe(wrong)
    expect(fs.existsSync(out)).toBe(false)
    let noted = false
    const noting = async (): Promise<void> => {
      await new Promise(setImmediate)
      noted = !fs.existsSync(out)
    }
    await command.deliver({ ...attempt(), handingOver: noting }, message(SMALL), never)
    expect([noted, fs.existsSync(out)]).toEqual([true, true])
  })

  test('by a signal is an answer that was lost', async () => {
    await using command = sh('kill -SEGV $$')
    expect(await failure(command.deliver(attempt(), message(SMALL), never))).toMatchObject({ verdict: 'unknown' })
  })

  test('is not waited for longer than its output is held open by what it started (D093)', async () => {
    const pidFile = path.join(directory(), 'pid')
    await using command = open(['sh', '-c', 'sleep 1000 & echo $! > "$0"; exit $1', pidFile, '0'])
    await command.deliver(attempt(), message(SMALL), never)
    const pid = Number(await written(pidFile))
    process.kill(pid)
    fs.rmSync(pidFile)
    await using failing = open(['sh', '-c', 'sleep 1000 & echo $! > "$0"; echo why >&2; exit 75', pidFile])
    const error = await failure(failing.deliver(attempt(), message(SMALL), never))
    expect(error.message).toContain('and said "why"')
    await gone(Number(await written(pidFile)))
  })

  test('comes with the time limit, for all that it started, even what will not hear (D093)', async () => {
    const pidFile = path.join(directory(), 'pid')
    const script = 'trap "" TERM; sh -c \'trap "" TERM; echo $$ > "$0"; while :; do sleep 1; done\' "$0" & wait; wait'
    await using command = open(['sh', '-c', script, pidFile], { timeoutMs: 300 })
    const error = await failure(command.deliver(attempt(), message(SMALL), never))
    expect(error).toMatchObject({ verdict: 'unknown', scope: 'message' })
    expect(error.message).toMatch(/exceeded its time limit and was killed: raise timeout, or find out why/)
    await gone(Number(await written(pidFile)))
  })

  test('comes with an abort, at once, and a program that waits for its turn is not begun (D091)', async () => {
    const folder = directory()
    const pidFile = path.join(folder, 'pid')
    await using command = open(['sh', '-c', 'echo $$ >> "$0"; exec sleep 1000', pidFile])
    const abort = new AbortController()
    const first = failure(command.deliver(attempt(), message(SMALL), abort.signal))
    const second = failure(command.deliver(attempt(), message(SMALL), abort.signal))
    const pid = Number(await written(pidFile))
    abort.abort()
    expect(await first).toMatchObject({ verdict: 'unknown' })
    expect(await second).toMatchObject({ verdict: 'temporary' })
    await gone(pid)
    expect(fs.readFileSync(pidFile, 'latin1')).toBe(`${pid}\n`)
  })

  test('of a program that prints without end is not kept waiting by what it prints', async () => {
    await using command = sh('head -c 20000000 /dev/zero; head -c 20000000 /dev/zero >&2; exit 1')
    const error = await failure(command.deliver(attempt(), message(SMALL), never))
    expect(error.message.length).toBeLessThan(1000)
  })
})

describe('how many', () => {
  test.each([1, 3])('run at once: %i', async (concurrency) => {
    const folder = directory()
    const script = 'mkdir "$0/$$"; ls "$0" | wc -l >> "$0.log"; sleep 0.02; rmdir "$0/$$"'
    const place = path.join(folder, 'running')
    fs.mkdirSync(place)
    await using command = open(['sh', '-c', script, place], { concurrency })
    await Promise.all(Array.from({ length: 9 }, () => command.deliver(attempt(), message(SMALL), never)))
    const seen = fs.readFileSync(`${place}.log`, 'latin1').trim().split('\n').map(Number)
    expect(seen).toHaveLength(9)
    expect(Math.max(...seen)).toBeLessThanOrEqual(concurrency)
  })

  test('messages in a row may fail alike: each is about its message, and counts', async () => {
    await using command = sh('exit 1')
    const answers = []
    for (const uidl of ['a', 'b', 'c', 'd']) {
      const error = await failure(command.deliver(attempt(uidl), message(SMALL, origin(uidl)), never))
      answers.push([error.scope, error.counts, error.answer.same])
    }
    expect(new Set(answers.map(String))).toEqual(new Set(['message,true,exit 1']))
  })

  test('may be refused one after the other, each for itself', async () => {
    await using command = sh('exit 65')
    for (const uidl of ['a', 'b', 'c', 'd', 'e']) {
      const error = await failure(command.deliver(attempt(uidl), message(SMALL, origin(uidl)), never))
      expect(error).toMatchObject({ verdict: 'refused', scope: 'message' })
    }
  })
})

describe('ready', () => {
  test('finds a program in PATH, or where it is written', async () => {
    await using named = open(['true'])
    await named.ready(never)
    await using placed = open(['/bin/sh'])
    await placed.ready(never)
  })

  test.each([
    ['no-such-program', /command no-such-program: it is not in PATH \(.*\): install it, or correct run/],
    ['/no/such/program', /command \/no\/such\/program: it is not a program: install it, or correct run/],
    ['/etc/passwd', /it is not a program/],
    ['/tmp', /it is not a program/],
  ])('refuses %s, before any message is asked for', async (program, expected) => {
    await using command = open([program])
    const error = await failure(command.ready(never))
    expect(error).toMatchObject({ verdict: 'temporary', scope: 'destination', retry: 'never' })
    expect(error.message).toMatch(expected)
    expect(await failure(command.deliver(attempt(), message(SMALL), never))).toMatchObject({ scope: 'destination' })
  })

  test('a program that cannot be executed after all takes the destination down', async () => {
    const file = path.join(directory(), 'x')
    fs.writeFileSync(file, '#!/no/such/interpreter\n', { mode: 0o700 })
    await using command = open([file])
    await command.ready(never)
    const error = await failure(command.deliver(attempt(), message(SMALL), never))
    expect(error).toMatchObject({ verdict: 'temporary', scope: 'destination' })
    expect(error.message).toMatch(/cannot be run/)
  })
})

test('a spool directory that others may write to is not used', async () => {
  const spoolDirectory = directory()
  fs.chmodSync(spoolDirectory, 0o777)
  await using command = open(['true'], { spoolDirectory })
  const error = await failure(command.deliver(attempt(), message(SMALL), never))
  expect(error.verdict).toBe('temporary')
  expect(error.message).toMatch(/is not a directory that only popfetch writes to/)
})
