// An mbox as a destination: whole messages, once, under a lock, whatever fails (D100–D103).
import { execFileSync, spawn, spawnSync } from 'node:child_process'
import fs from 'node:fs'
import path from 'node:path'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import type { Attempt, Destination } from '../../../src/deliver/destination.ts'
import { traceField } from '../../../src/deliver/envelope.ts'
import { openMbox, type MboxContext } from '../../../src/deliver/mbox/mbox.ts'
import { unquoted } from '../../../src/deliver/mbox/mboxrd.ts'
import { Reserve } from '../../../src/deliver/disk/reserve.ts'
import { identityOf } from '../../../src/deliver/mbox/lock.ts'
import { DeliveryError } from '../../../src/errors.ts'
import type { Message } from '../../../src/message.ts'
import { EXT4, FaultyFileSystems } from '../../support/faulty-filesystem.ts'
import { asLf, attempt, directory, large, message, never, NOW_MS, ODD, SMALL } from '../scene.ts'

const IDENTITY = await identityOf(process.pid)

interface Options extends Partial<MboxContext> {
  readonly trace?: boolean
}

function open(file: string, { trace = true, ...context }: Options = {}): Destination {
  return openMbox(
    { path: file, trace, description: 'mbox in' },
    {
      hostName: 'laptop',
      nowMs: () => NOW_MS,
      prefix: ({ origin }) => (trace ? traceField(origin, { hostName: 'laptop', nowMs: NOW_MS }) : ''),
      reserve: new Reserve(),
      lockLimitMs: 0,
      lockRetryMs: 1,
      ...context,
    },
  )
}

function read(file: string): string {
  return fs.readFileSync(file, 'latin1')
}

/** The messages in an mbox without what popfetch put on top, by the form itself; fails where it is not one. */
function messages(file: string): string[] {
  const text = read(file)
  if (text === '') return []
  expect(text).toMatch(/^From [^\n]+\n/)
  expect(text.endsWith('\n\n')).toBe(true)
  return text
    .slice(0, -1)
    .split(/(?:^|\n)From [^\n]+\n/)
    .slice(1)
    .map((one) =>
      unquoted(one.replace(/^Received: [^\n]*\n\t[^\n]*\n/, '').replace(/^X-Popfetch-Delivery: [^\n]*\n/, '')),
    )
}

function numbered(number: number): Message {
  return message(Buffer.from(`Subject: letter ${number}\r\n\r\nFrom ${number}\r\n`.repeat(3)))
}

async function failure(work: Promise<unknown>): Promise<DeliveryError> {
  const error = await work.then(
    () => null,
    (thrown: unknown) => thrown,
  )
  if (error instanceof DeliveryError) return error
  throw new Error(`no DeliveryError but ${String(error)}`)
}

function inFile(folder: string, bytes: Buffer): Message {
  const file = path.join(folder, 'spool')
  fs.writeFileSync(file, bytes)
  return { ...message(bytes), body: { kind: 'file', path: file, form: { lineEndings: 'crlf', prefixBytes: 0 } } }
}

describe('a delivery', () => {
  test('stands in the file with a From_ line, the fields of popfetch, the message, an empty line', async () => {
    const file = path.join(directory(), 'in')
    await using mbox = open(file)
    const tried = attempt()
    const receipt = await mbox.deliver(tried, message(SMALL), never)
    expect(receipt.text).toBe(file)
    expect(read(file)).toBe(
      'From MAILER-DAEMON Tue Nov 24 13:10:22 2026\n' +
        'Received: from pop.example.net by laptop with POP3S\n' +
        '\t(popfetch; account old-isp); Tue, 24 Nov 2026 13:10:22 +0000\n' +
        `X-Popfetch-Delivery: ${tried.intent} ${asLf(SMALL).length}\n` +
        `${asLf(SMALL).toString('latin1')}\n`,
    )
    expect(fs.statSync(file).mode & 0o777).toBe(0o600)
    expect(fs.readdirSync(path.dirname(file))).toEqual(['in'])
  })

  test('names the sender only when it is plainly an address (D102)', async () => {
    const file = path.join(directory(), 'in')
    await using mbox = open(file)
    for (const from of ['<ada@example.org>', '<>', '<ada@example.org Mon Jan 1>', 'x\r\n y@z.org', '<a\tb@c.org>']) {
      await mbox.deliver(attempt(), message(Buffer.from(`Return-Path: ${from}\r\n\r\n`)), never)
    }
    expect(
      read(file)
        .match(/^From .*$/gm)
        ?.map((line) => line.split(' ')[1]),
    ).toEqual(['ada@example.org', 'MAILER-DAEMON', 'MAILER-DAEMON', 'MAILER-DAEMON', 'MAILER-DAEMON'])
  })

  test('with trace: false adds nothing to the message', async () => {
    const file = path.join(directory(), 'in')
    await using mbox = open(file, { trace: false })
    await mbox.deliver(attempt(), message(SMALL), never)
    expect(mbox.remembers).toBe(false)
    expect(read(file)).toBe(`From MAILER-DAEMON Tue Nov 24 13:10:22 2026\n${asLf(SMALL).toString('latin1')}\n`)
  })

  test.each([
    ['', ''],
    ['From x\n\nbody\n\n', ''],
    ['From x\n\nbody\n', '\n'],
    ['From x\n\nbody', '\n\n'],
    ['\n', ''],
  ])('begins a line of its own after %j', async (before, added) => {
    const file = path.join(directory(), 'in')
    fs.writeFileSync(file, before)
    await using mbox = open(file)
    await mbox.deliver(attempt(), message(SMALL), never)
    expect(read(file).startsWith(`${before}${added}From MAILER-DAEMON `)).toBe(true)
  })

  test('brings large and odd messages whole', async () => {
    const folder = directory()
    const file = path.join(folder, 'in')
    await using mbox = open(file)
    const bytes = Buffer.concat([large(), Buffer.from('\r\nFrom x\r\n')])
    await mbox.deliver(attempt(), inFile(folder, bytes), never)
    await mbox.deliver(attempt(), message(ODD), never)
    const [first, second] = messages(file)
    expect(first === asLf(bytes).toString('latin1')).toBe(true)
    expect(second).toBe(`${asLf(ODD).toString('latin1')}\n`)
  })

  test('of many at once goes in batches, and two at work on one file do not mix (D100)', async () => {
    const file = path.join(directory(), 'in')
    await using one = open(file, { lockLimitMs: 60_000 })
    await using other = open(file, { lockLimitMs: 60_000 })
    const numbers = Array.from({ length: 250 }, (_, at) => at)
    await Promise.all(numbers.map((at) => (at % 2 === 0 ? one : other).deliver(attempt(), numbered(at), never)))
    expect(messages(file).sort()).toEqual(numbers.map((at) => asLf(bytesOf(numbered(at))).toString('latin1')).sort())
  })

  test('is durable, and its name too, before it counts (D002, D003)', async () => {
    const folder = directory()
    const file = path.join(folder, 'in')
    const faulty = new FaultyFileSystems(EXT4)
    const names = new Map<number, string>()
    const made: string[] = []
    faulty.before = (_, subject) => {
      if (typeof subject !== 'number') return
      const name = fs.readlinkSync(`/proc/self/fd/${subject}`)
      names.set(subject, name === folder ? 'directory' : name === file ? 'mbox' : 'lock')
    }
    faulty.after = (call, subject) => {
      if (!['write', 'fsync', 'ftruncate'].includes(call) || typeof subject !== 'number') return
      const what = `${call} ${names.get(subject)}`
      if (made.at(-1) !== what) made.push(what)
    }
    await using mbox = open(file, { fileSystem: faulty.offLoop })
    await mbox.deliver(attempt(), message(SMALL), never)
    expect(made).toEqual([
      'write lock',
      'fsync directory',
      // What is to be appended, then that; then that it counts.
      'ftruncate lock',
      'write lock',
      'fsync lock',
      'write mbox',
      'fsync mbox',
      'ftruncate lock',
      'fsync lock',
    ])
  })

  test('whose spool file is damaged fails alone', async () => {
    const folder = directory()
    const file = path.join(folder, 'in')
    await using mbox = open(file)
    const damaged = { ...inFile(folder, SMALL), sizeBytes: SMALL.length + 1 }
    const results = await Promise.allSettled([
      mbox.deliver(attempt(), numbered(1), never),
      mbox.deliver(attempt(), damaged, never),
      mbox.deliver(attempt(), numbered(2), never),
    ])
    expect(results.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled'])
    expect(results[1]).toMatchObject({ reason: { verdict: 'temporary', scope: 'message' } })
    expect(messages(file)).toHaveLength(2)
  })
})

function bytesOf({ body }: Message): Buffer {
  return body.kind === 'memory' ? body.bytes : fs.readFileSync(body.path)
}

const python = spawnSync('python3', ['--version']).status === 0

test.skipIf(!python)('Python reads back what was written', async () => {
  const folder = directory()
  const file = path.join(folder, 'in')
  await using mbox = open(file)
  const sent = [
    numbered(1),
    message(SMALL),
    inFile(folder, large()),
    message(Buffer.from('Subject: x\r\n\r\nFrom a\r\n>From b\r\n')),
  ]
  for (const one of sent) await mbox.deliver(attempt(), one, never)
  const script = `
import mailbox, hashlib, re, sys
for key in range(len(box := mailbox.mbox(sys.argv[1]))):
    text = box.get_bytes(key)
    text = re.sub(rb'^Received: .*\\n\\t.*\\nX-Popfetch-Delivery: .*\\n', b'', text)
    text = re.sub(rb'(?m)^>(>*From )', rb'\\1', text)
    print(hashlib.sha256(text).hexdigest())
`
  const digests = execFileSync('python3', ['-c', script, file], { encoding: 'latin1' }).trim().split('\n')
  const expected = sent.map((one) =>
    asLf(bytesOf(one))
      .toString('latin1')
      .replace(/(?<!\n)$/, '\n'),
  )
  const own = expected.map((text) =>
    execFileSync('sha256sum', { input: Buffer.from(text, 'latin1'), encoding: 'latin1' }).slice(0, 64),
  )
  expect(digests).toEqual(own)
})

describe('a file that may not be written to (D103)', () => {
  test.each([
    ['a symbolic link', (file: string) => fs.symlinkSync('/dev/null', file), /is a symbolic link/],
    ['a symbolic link to nothing', (file: string) => fs.symlinkSync(`${file}-not-there`, file), /is a symbolic link/],
    ['a directory', (file: string) => fs.mkdirSync(file), /is not a regular file/],
    ['a pipe', (file: string) => execFileSync('mkfifo', [file]), /is not a regular file/],
    ['open to everybody', (file: string) => (fs.writeFileSync(file, ''), fs.chmodSync(file, 0o666)), /by everybody/],
  ])('%s is refused, and nothing is made of it', async (_, make, expected) => {
    const file = path.join(directory(), 'in')
    make(file)
    await using mbox = open(file)
    for (const error of [
      await failure(mbox.ready(never)),
      await failure(mbox.deliver(attempt(), message(SMALL), never)),
    ]) {
      expect(error).toMatchObject({ verdict: 'temporary', scope: 'destination' })
      expect(error.message).toMatch(expected)
    }
    expect(fs.readdirSync(path.dirname(file))).toEqual(['in'])
  })

  test("of somebody else is refused, root's popfetch included", async () => {
    const file = path.join(directory(), 'in')
    fs.writeFileSync(file, '')
    await using mbox = open(file, { uid: (process.getuid?.() ?? 0) + 1 })
    expect((await failure(mbox.ready(never))).message).toMatch(
      /belongs to user \d+, and popfetch runs as user \d+: run/,
    )
  })

  test('a special file such as /dev/null is refused', async () => {
    await using mbox = open('/dev/null')
    // Only root gets as far as to look at it: nobody else may make a lock in /dev.
    const refused = /is not a regular file|cannot make its lock/
    expect((await failure(mbox.ready(never))).message).toMatch(refused)
  })

  test('its directory is not made', async () => {
    const file = path.join(directory(), 'not', 'there')
    await using mbox = open(file)
    const error = await failure(mbox.ready(never))
    expect(error).toMatchObject({ verdict: 'temporary', scope: 'destination' })
    expect(error.message).toMatch(/no such file or directory/)
    await expect(mbox.deliver(attempt(), message(SMALL), never)).rejects.toThrow('no such file or directory')
  })
})

describe('the lock (D100)', () => {
  const mine = JSON.stringify({ host: 'laptop', identity: IDENTITY })

  test('held by another program makes it wait, and then defers', async () => {
    const file = path.join(directory(), 'in')
    fs.writeFileSync(`${file}.lock`, '')
    await using mbox = open(file, { lockLimitMs: 20 })
    const error = await failure(mbox.deliver(attempt(), message(SMALL), never))
    expect(error).toMatchObject({ verdict: 'temporary', scope: 'destination', retry: 'soon' })
    expect(error.message).toMatch(/in\.lock is held by another program for more than 0 s: end the program/)
    expect(fs.existsSync(file)).toBe(false)
    expect(fs.readdirSync(path.dirname(file))).toEqual(['in.lock'])
  })

  test('given up meanwhile is taken', async () => {
    const file = path.join(directory(), 'in')
    fs.writeFileSync(`${file}.lock`, '')
    const faulty = new FaultyFileSystems(EXT4)
    let tries = 0
    faulty.before = (call) => {
      if (call === 'link' && ++tries === 3) fs.unlinkSync(`${file}.lock`)
    }
    await using mbox = open(file, { lockLimitMs: 60_000, fileSystem: faulty.offLoop })
    await mbox.deliver(attempt(), message(SMALL), never)
    expect(messages(file)).toHaveLength(1)
  })

  test.each([
    ['of a live popfetch, however old', `${process.pid}\n${mine}\n`, 1e9, false],
    ['of a popfetch that died', `${2 ** 22 + 1}\n${mine}\n`, 0, true],
    [
      'of a popfetch whose number another process has now',
      `${process.pid}\n{"host":"laptop","identity":"x 1"}\n`,
      0,
      true,
    ],
    ['of another host', `${2 ** 22 + 1}\n{"host":"other","identity":""}\n`, 0, false],
    ['of another host, long ago', `${2 ** 22 + 1}\n{"host":"other","identity":""}\n`, 1025, true],
    ['of another program', '1\n', 1023, false],
    ['of another program, long ago', '1\n', 1025, true],
    ['with nonsense in it, long ago', '\0\xff{', 1025, true],
  ])('%s', async (_, content, ageSeconds, taken) => {
    const file = path.join(directory(), 'in')
    fs.writeFileSync(`${file}.lock`, content)
    const thenSeconds = Date.now() / 1000 - ageSeconds
    fs.utimesSync(`${file}.lock`, thenSeconds, thenSeconds)
    await using mbox = open(file)
    const delivery = mbox.deliver(attempt(), message(SMALL), never)
    if (taken) await delivery
    else expect(await failure(delivery)).toMatchObject({ verdict: 'temporary' })
    expect(fs.readdirSync(path.dirname(file))).toEqual(taken ? ['in'] : ['in.lock'])
  })

  test('that cannot be made comes with the advice to use a command', async () => {
    const file = path.join(directory(), 'in')
    const faulty = new FaultyFileSystems(EXT4)
    faulty.errors.set('link', { errno: 'EACCES', performs: false })
    await using mbox = open(file, { fileSystem: faulty.offLoop })
    const error = await failure(mbox.deliver(attempt(), message(SMALL), never))
    expect(error).toMatchObject({ verdict: 'temporary', scope: 'destination' })
    expect(error.message).toMatch(
      /cannot make its lock .*in\.lock \(EACCES\): make .* writable, or deliver with type: command/,
    )
    expect(fs.readdirSync(path.dirname(file))).toEqual([])
  })

  test('made over NFS, where the answer says that it was not, is ours (D011)', async () => {
    const file = path.join(directory(), 'in')
    const faulty = new FaultyFileSystems(EXT4)
    faulty.errors.set('link', { errno: 'EEXIST', performs: true })
    await using mbox = open(file, { fileSystem: faulty.offLoop })
    await mbox.deliver(attempt(), message(SMALL), never)
    expect(messages(file)).toHaveLength(1)
    expect(fs.readdirSync(path.dirname(file))).toEqual(['in'])
  })

  test('that somebody made in the place of a dead one, just now, is respected', async () => {
    const file = path.join(directory(), 'in')
    fs.writeFileSync(`${file}.lock`, `${2 ** 22 + 1}\n${mine}\n`)
    const faulty = new FaultyFileSystems(EXT4)
    faulty.before = (call) => {
      if (call !== 'rename') return
      fs.unlinkSync(`${file}.lock`)
      fs.writeFileSync(`${file}.lock`, `${process.pid}\n${mine}\n`)
    }
    await using mbox = open(file, { fileSystem: faulty.offLoop })
    expect(await failure(mbox.deliver(attempt(), message(SMALL), never))).toMatchObject({ verdict: 'temporary' })
    expect(read(`${file}.lock`)).toContain(String(process.pid))
    expect(fs.readdirSync(path.dirname(file))).toEqual(['in.lock'])
  })

  test('is only for its owner to read: senders stand in it', async () => {
    const file = path.join(directory(), 'in')
    const faulty = new FaultyFileSystems(EXT4)
    let mode = 0
    faulty.after = (call) => {
      if (call === 'fsync' && mode === 0) mode = fs.statSync(`${file}.lock`).mode
    }
    await using mbox = open(file, { fileSystem: faulty.offLoop })
    await mbox.deliver(attempt(), message(SMALL), never)
    expect(mode & 0o777).toBe(0o600)
  })
})

/** As a popfetch that was killed leaves them: a lock that says what was to be appended, and some of it. */
function abandoned(file: string, before: string, part: string, fromLines: readonly string[]): void {
  fs.writeFileSync(file, before + part)
  const { ino } = fs.statSync(file)
  const journal = { inode: ino, sizeBytes: before.length, fromLines }
  const owner = { host: 'laptop', identity: '' }
  fs.writeFileSync(`${file}.lock`, `${2 ** 22 + 1}\n${JSON.stringify(owner)}\n${JSON.stringify(journal)}\n`)
}

describe('after a crash (D101)', () => {
  const before = 'From old Mon Jan  1 00:00:00 2026\n\nold\n\n'
  const ours = ['From a@b.c Tue Nov 24 13:10:22 2026\n', 'From MAILER-DAEMON Tue Nov 24 13:10:22 2026\n']
  const whole = `${ours[0]}Subject: 1\n\n>From x\n\n${ours[1]}Subject: 2\n\n`

  test('what was half written is taken back before anything else, wherever it broke off', async () => {
    for (let at = 0; at <= whole.length; at++) {
      const file = path.join(directory(), 'in')
      abandoned(file, before, whole.slice(0, at), ours)
      await using mbox = open(file, { trace: false })
      await mbox.deliver(attempt(), message(SMALL), never)
      expect(read(file), `cut at ${at}`).toBe(
        `${before}From MAILER-DAEMON Tue Nov 24 13:10:22 2026\n${asLf(SMALL).toString('latin1')}\n`,
      )
    }
  })

  test('so is the line end that was written to begin with', async () => {
    const file = path.join(directory(), 'in')
    abandoned(file, before.trimEnd(), `\n\n${whole.slice(0, 50)}`, ours)
    await using mbox = open(file)
    await mbox.deliver(attempt(), message(SMALL), never)
    expect(read(file).split('\nFrom ')).toHaveLength(2)
  })

  test.each([
    ['a message of somebody else after it', `${ours[0]}Subj\n\nFrom eve@x.y Tue Nov 24 13:10:23 2026\n\nnew\n\n`],
    ['only a message of somebody else', 'From eve@x.y Tue Nov 24 13:10:23 2026\n\nnew\n\n'],
    ['something that is no message', 'Status: RO\n'],
    ['a very long From_ line of somebody else', `${ours[0]}Subj\n\nFrom ${'x'.repeat(300_000)}\n\n`],
  ])('nothing is cut off where there is %s', async (_, part) => {
    const file = path.join(directory(), 'in')
    abandoned(file, before, part, ours)
    await using mbox = open(file)
    await mbox.deliver(attempt(), message(SMALL), never)
    expect(read(file).startsWith(before + part)).toBe(true)
  })

  test('nothing is cut off from a file that another program has written anew', async () => {
    const file = path.join(directory(), 'in')
    abandoned(file, before, whole, ours)
    fs.writeFileSync(`${file}.new`, before + whole)
    fs.renameSync(`${file}.new`, file)
    await using mbox = open(file)
    await mbox.deliver(attempt(), message(SMALL), never)
    expect(read(file).startsWith(before + whole)).toBe(true)
  })

  test('a lock that was left after all was durable, as after a power cut, takes nothing back', async () => {
    const file = path.join(directory(), 'in')
    const faulty = new FaultyFileSystems(EXT4)
    let left = ''
    faulty.before = (call, subject) => {
      if (call === 'unlink' && subject === `${file}.lock`) left = read(`${file}.lock`)
    }
    await using mbox = open(file, { fileSystem: faulty.offLoop })
    await mbox.deliver(attempt(), message(SMALL), never)
    fs.writeFileSync(`${file}.lock`, left.replace(/^\d+/, String(2 ** 22 + 1)))
    await mbox.deliver(attempt(), numbered(2), never)
    expect(messages(file)).toHaveLength(2)
  })

  test('killed at any call, with the same message tried again as the ledger would, it is there once', async () => {
    const folder = directory()
    const victim = path.join(import.meta.dirname, 'mbox-victim.ts')
    /** True: it was through before that call. */
    const one = async (call: number): Promise<boolean> => {
      const file = path.join(folder, String(call))
      fs.writeFileSync(file, before)
      const child = spawn(process.execPath, [victim, file, String(call)], { stdio: 'ignore' })
      const code = await new Promise<number | null>((resolve) => child.on('exit', resolve))
      await using mbox = open(file, { hostName: 'laptop' })
      const tried: Attempt = { ...attempt(), intent: '00112233aabbccdd' }
      if ((await mbox.recall(tried, never)) === null) await mbox.deliver(attempt(), message(SMALL), never)
      const text = asLf(SMALL).toString('latin1')
      expect(messages(file), `killed at call ${call}`).toEqual(['\nold\n', text])
      expect(fs.existsSync(`${file}.lock`)).toBe(false)
      return code === 0
    }
    for (let call = 1; ; call += 4) {
      const through = await Promise.all([0, 1, 2, 3].map((more) => one(call + more)))
      if (through.includes(true)) break
    }
  }, 60_000)
})

describe('every call failing once', () => {
  test.each(['ENOSPC', 'EIO'])(
    'with %s: only whole messages, nothing visible after temporary, there after a second try',
    async (errno) => {
      for (let failing = 1; ; failing++) {
        const folder = directory()
        const file = path.join(folder, 'in')
        fs.writeFileSync(file, 'From old Mon Jan  1 00:00:00 2026\n\nold\n\n')
        const faulty = new FaultyFileSystems(EXT4)
        faulty.errno = errno
        faulty.failing = failing
        faulty.writeBytes = 100
        await using mbox = open(file, { fileSystem: faulty.offLoop })
        const tried = attempt()
        const sent = inFile(folder, SMALL)
        const error = await mbox.deliver(tried, sent, never).then(
          () => null,
          (thrown: unknown) => thrown,
        )
        faulty.failing = 0
        if (error !== null) {
          expect(error, `call ${failing}`).toBeInstanceOf(DeliveryError)
          if (error instanceof DeliveryError && error.verdict === 'temporary') expect(messages(file)).toHaveLength(1)
          fs.rmSync(`${file}.lock`, { force: true })
          if ((await mbox.recall(tried, never)) === null) await mbox.deliver(attempt(), sent, never)
        }
        expect(messages(file), `call ${failing}`).toEqual(['\nold\n', asLf(SMALL).toString('latin1')])
        expect(
          fs.readdirSync(folder).filter((name) => name !== 'in' && name !== 'spool' && !name.includes('.lock')),
        ).toEqual([])
        if (faulty.calls < failing) break
      }
    },
  )

  test('a disk that stays full leaves the file as it was, and it is not downloaded for again', async () => {
    const folder = directory()
    const file = path.join(folder, 'in')
    const faulty = new FaultyFileSystems(EXT4)
    faulty.freeBytes = 1000
    await using mbox = open(file, { fileSystem: faulty.offLoop })
    const error = await failure(mbox.ready(never))
    expect(error).toMatchObject({ verdict: 'temporary', scope: 'destination' })
    expect(error.message).toMatch(/no space left/)
    expect(await failure(mbox.deliver(attempt(), message(SMALL), never))).toMatchObject({ scope: 'destination' })
    expect(messages(file)).toEqual([])
  })

  test('what cannot be taken back may be there: unknown, and the recall knows that it is not', async () => {
    const folder = directory()
    const file = path.join(folder, 'in')
    const faulty = new FaultyFileSystems(EXT4)
    const bytes = Buffer.alloc(600_000, 'line\r\n')
    let writes = 0
    faulty.before = (call) => {
      if (call === 'write' && ++writes === 4) {
        faulty.errors.set('write', { errno: 'ENOSPC', performs: false })
        faulty.errors.set('ftruncate', { errno: 'EIO', performs: false })
      }
    }
    await using mbox = open(file, { fileSystem: faulty.offLoop })
    const tried = attempt()
    expect(await failure(mbox.deliver(tried, inFile(folder, bytes), never))).toMatchObject({ verdict: 'unknown' })
    faulty.errors.clear()
    expect(read(file)).toContain('line')
    expect(await mbox.recall(tried, never)).toBeNull()
    await mbox.deliver(attempt(), message(SMALL), never)
    expect(messages(file).at(-1)).toBe(asLf(SMALL).toString('latin1'))
  })
})

describe('waits end', () => {
  test('a file system that hangs takes the mbox down, and the next does not wait behind it', async () => {
    const file = path.join(directory(), 'in')
    fs.writeFileSync(file, '')
    const faulty = new FaultyFileSystems(EXT4)
    faulty.hanging.add('fsync')
    const hangs = faulty.hangs()
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
    onTestFinished(() => void vi.useRealTimers())
    await using mbox = open(file, { fileSystem: faulty.offLoop, limitMs: 20, lockLimitMs: 0 })
    const delivery = failure(mbox.deliver(attempt(), message(SMALL), never))
    await hangs
    vi.advanceTimersByTime(1000)
    vi.useRealTimers()
    expect(await delivery).toMatchObject({ verdict: 'unknown', scope: 'destination' })
    const error = await failure(mbox.deliver(attempt(), message(SMALL), never))
    expect(error).toMatchObject({ verdict: 'temporary', scope: 'destination' })
    expect(error.message).toMatch(/an earlier delivery still hangs/)
  })

  test('what was given up before it began is not appended when the file system wakes up', async () => {
    const file = path.join(directory(), 'in')
    const faulty = new FaultyFileSystems(EXT4)
    const { promise: awake, resolve: wake } = Promise.withResolvers<void>()
    faulty.before = (call, subject) => (call === 'open' && subject === file ? awake : undefined)
    const mbox = open(file, { fileSystem: faulty.offLoop, limitMs: 20 })
    expect(await failure(mbox.deliver(attempt(), message(SMALL), never))).toMatchObject({ verdict: 'temporary' })
    const unlocked = new Promise<void>((resolve) => {
      faulty.after = (call, subject) => call === 'unlink' && subject === `${file}.lock` && resolve()
    })
    wake()
    await unlocked
    expect(read(file)).toBe('')
    await mbox[Symbol.asyncDispose]()
  })

  test('an abort ends the wait for the lock', async () => {
    const file = path.join(directory(), 'in')
    fs.writeFileSync(`${file}.lock`, '')
    const mbox = open(file, { lockLimitMs: 60_000, lockRetryMs: 60_000 })
    const abort = new AbortController()
    const delivery = failure(mbox.deliver(attempt(), message(SMALL), abort.signal))
    const second = failure(mbox.deliver(attempt(), message(SMALL), AbortSignal.abort()))
    setImmediate(() => abort.abort())
    await delivery
    expect(await second).toMatchObject({ verdict: 'temporary', scope: 'message' })
    await mbox[Symbol.asyncDispose]()
    expect(fs.readdirSync(path.dirname(file))).toEqual(['in.lock'])
  })
})

describe('recall', () => {
  test('finds what arrived, and reads back what was received', async () => {
    const folder = directory()
    const file = path.join(folder, 'in')
    await using mbox = open(file)
    const sent = [
      SMALL,
      Buffer.from('Subject: x\r\n\r\nFrom a\r\n>From b\r\n\r\n'),
      large(),
      Buffer.from('no end'),
      Buffer.alloc(0),
    ]
    const tried = sent.map((bytes) => ({ ...attempt(), bytes }))
    for (const { bytes, ...one } of tried) await mbox.deliver(one, inFile(folder, bytes), never)
    await using later = open(file)
    for (const { bytes, ...one } of tried) {
      const { digest, fingerprint, messageId, sizeBytes } = message(bytes)
      const found = await later.recall(one, never)
      expect(found?.text).toBe(file)
      // A lone LF, as in `large`, cannot be told from a line end.
      if (bytes.length < 1_000_000) {
        expect(found?.received).toEqual({ digest, fingerprint, messageId, receivedBytes: sizeBytes })
      } else expect(found?.received).not.toBeNull()
    }
    expect(await later.recall(attempt(), never)).toBeNull()
  })

  test('finds it where a mail program has moved it or added fields, between two recalls as well', async () => {
    const file = path.join(directory(), 'in')
    await using mbox = open(file)
    const tried = [attempt(), attempt()]
    for (const one of tried) await mbox.deliver(one, message(SMALL), never)
    expect(await mbox.recall(tried[0]!, never)).not.toBeNull()
    const [, first = '', second = ''] =
      read(file).split(/(?=^From )/m).length === 2 ? ['', ...read(file).split(/(?=^From )/m)] : []
    fs.writeFileSync(file, `${second}${first.replace('\n\nbody', '\nStatus: RO\n\nbody')}`)
    expect(await mbox.recall(tried[1]!, never)).toMatchObject({ received: { digest: message(SMALL).digest } })
    expect(await mbox.recall(tried[0]!, never)).toMatchObject({ received: null })
  })

  test('does not find half a message', async () => {
    const file = path.join(directory(), 'in')
    await using mbox = open(file)
    const tried = attempt()
    await mbox.deliver(tried, message(SMALL), never)
    fs.truncateSync(file, fs.statSync(file).size - 3)
    expect(await mbox.recall(tried, never)).toBeNull()
  })

  test('believes no marker but the one that popfetch put on top', async () => {
    const file = path.join(directory(), 'in')
    await using mbox = open(file)
    const wanted = attempt()
    const forged = `X-Popfetch-Delivery: ${wanted.intent} 1\r\n\r\nFrom x\r\nX-Popfetch-Delivery: ${wanted.intent} 1\r\n\r\n`
    await mbox.deliver(attempt(), message(Buffer.from(forged)), never)
    expect(await mbox.recall(wanted, never)).toBeNull()
  })
})
