// An mbox as a destination: whole messages, once, in a form that other programs read.
import { execFileSync, spawnSync } from 'node:child_process'
import fs from 'node:fs'
import path from 'node:path'
import { describe, expect, test } from 'vitest'
import { messageKey } from '../../../src/deliver/message-key.ts'
import type { Message } from '../../../src/message.ts'
import { EXT4, FaultyFileSystems } from '../../support/faulty-filesystem.ts'
import {
  asLf,
  attempt,
  directory,
  failure,
  inFile,
  large,
  message,
  messages,
  never,
  numbered,
  ODD,
  open,
  read,
  SMALL,
  stoppedClock,
} from './scene.ts'

describe('a delivery', () => {
  test('is in the file with a From_ line, the fields of popfetch, the message, an empty line', async () => {
    const file = path.join(directory(), 'in')
    await using mbox = open(file)
    const tried = attempt()
    const receipt = await mbox.deliver(tried, message(SMALL), never)
    expect(receipt.text).toBe(file)
    expect(read(file)).toBe(
      'From MAILER-DAEMON Tue Nov 24 13:10:22 2026\n' +
        'Received: from pop.example.net by laptop with POP3S\n' +
        '\t(popfetch; account old-isp); Tue, 24 Nov 2026 13:10:22 +0000\n' +
        `X-Popfetch-Delivery: ${tried.intent} ${asLf(SMALL).length} ${messageKey(tried.origin)}\n` +
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

describe('waits end', () => {
  test('a file system that hangs takes the mbox down, and the next does not wait behind it', async () => {
    const file = path.join(directory(), 'in')
    fs.writeFileSync(file, '')
    const faulty = new FaultyFileSystems(EXT4)
    faulty.hanging.add('fsync')
    const hangs = faulty.hangs()
    using clock = stoppedClock()
    await using mbox = open(file, { fileSystem: faulty.offLoop, limitMs: 20 })
    const delivering = failure(mbox.deliver(attempt(), message(SMALL), never))
    await hangs
    clock.pass(30)
    expect(await delivering).toMatchObject({ verdict: 'unknown', scope: 'destination' })
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
