// A message is received whole or not at all, whatever its bytes, its size and the disk.
import { hash } from 'node:crypto'
import { spawnSync } from 'node:child_process'
import fs from 'node:fs'
import path from 'node:path'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { describe, expect, test, vi } from 'vitest'
import type { SpoolPlace } from '../../src/deliver/destination.ts'
import { Reserve } from '../../src/deliver/disk/reserve.ts'
import { isGone, ownerName } from '../../src/deliver/disk/own-files.ts'
import { sweepSpool } from '../../src/deliver/disk/spool-files.ts'
import { MessageTooLarge, Spool, type SpoolOptions } from '../../src/deliver/spool.ts'
import { DeliveryError } from '../../src/errors.ts'
import { EXT4, FaultyFileSystems } from '../support/faulty-filesystem.ts'
import { asLf, attempt, directory, large, never, NOW_MS, origin, SMALL } from './scene.ts'

function options(at: string, changes: Partial<SpoolOptions> = {}): SpoolOptions {
  const common = { origin: origin(), place: null, attempt: null, maxSizeBytes: null, signal: never }
  return { ...common, directory: path.join(at, 'spool'), reserve: new Reserve(), ...changes }
}

function place(at: string, changes: Partial<SpoolPlace> = {}): SpoolPlace {
  return {
    directory: at,
    mode: 0o640,
    lineEndings: 'lf',
    fileName: ({ intent }) => `file-${intent}`,
    prefix: () => Buffer.from('X-On-Top: 1\n'),
    ...changes,
  }
}

/** As a session does: it stops when told to. */
async function receive(spool: Spool, bytes: Buffer, chunkBytes = 65_536): Promise<void> {
  for (let at = 0; at < bytes.length; at += chunkBytes) await spool.write(bytes.subarray(at, at + chunkBytes))
}

describe('a small message', () => {
  test('keeps its bytes when the memory of a piece is used again', async () => {
    await using spool = new Spool(options(directory()))
    for (const piece of [SMALL.subarray(0, 100), SMALL.subarray(100)]) {
      const memory = Buffer.from(piece)
      expect(spool.write(memory)).toBeUndefined()
      memory.fill(0)
    }
    const message = await spool.complete(NOW_MS)
    expect(message.body).toEqual({ kind: 'memory', bytes: SMALL })
  })

  test('knows its size, digest, header and Message-ID', async () => {
    await using spool = new Spool(options(directory()))
    await receive(spool, SMALL, 1)
    expect(await spool.complete(NOW_MS)).toMatchObject({
      origin: origin(),
      sizeBytes: SMALL.length,
      digest: hash('sha256', SMALL, 'buffer'),
      messageId: '<1@example.net>',
      body: { kind: 'memory', bytes: SMALL },
      receivedMs: NOW_MS,
    })
  })

  test('may be empty', async () => {
    await using spool = new Spool(options(directory()))
    expect(await spool.complete(NOW_MS)).toMatchObject({
      sizeBytes: 0,
      messageId: null,
      body: { bytes: Buffer.alloc(0) },
    })
  })

  test('touches no disk', async () => {
    const at = directory()
    await using spool = new Spool(options(at))
    await receive(spool, Buffer.alloc(1 << 20, 'a'))
    expect((await spool.complete(NOW_MS)).body.kind).toBe('memory')
    expect(fs.readdirSync(at)).toEqual([])
  })
})

describe('a large message', () => {
  const bytes = large()
  const digest = hash('sha256', bytes, 'buffer')

  test('for several destinations goes as received to a directory of our own, made when it is needed', async () => {
    const at = directory()
    await using spool = new Spool(options(at))
    await receive(spool, bytes)
    const message = await spool.complete(NOW_MS)
    const body = message.body.kind === 'file' ? message.body : null
    expect(body).toMatchObject({ form: { lineEndings: 'crlf', prefixBytes: 0 } })
    expect(fs.readFileSync(body!.path).equals(bytes)).toBe(true)
    expect(message).toMatchObject({ sizeBytes: bytes.length, digest, messageId: '<1@example.net>' })
    expect(fs.statSync(body!.path).mode & 0o777).toBe(0o600)
    expect(fs.statSync(path.join(at, 'spool')).mode & 0o777).toBe(0o700)
  })

  test.each([1, 63, 4096, 65_521, 524_288, 3_000_000])(
    'is in the form of its place, whether it came in pieces of %i bytes or others',
    async (chunkBytes) => {
      const at = directory()
      const short = chunkBytes === 1 ? bytes.subarray(0, 1_200_000) : bytes
      await using spool = new Spool(options(at, { place: place(at), attempt: attempt() }))
      await receive(spool, short, chunkBytes)
      const message = await spool.complete(NOW_MS)
      const [name] = fs.readdirSync(at)
      const file = path.join(at, name!)
      expect(fs.readFileSync(file).equals(Buffer.concat([Buffer.from('X-On-Top: 1\n'), asLf(short)]))).toBe(true)
      expect(fs.statSync(file).mode & 0o777).toBe(0o640)
      expect(message.body).toEqual({ kind: 'file', path: file, form: { lineEndings: 'lf', prefixBytes: 12 } })
      expect(message.digest.equals(hash('sha256', short, 'buffer'))).toBe(true)
    },
  )

  test('that is announced as large goes to its file as soon as its header is here', async () => {
    const longHeader = Buffer.concat([Buffer.from(`X: ${'a'.repeat(95)}\r\n`.repeat(1000)), bytes])
    for (const message of [bytes, longHeader]) {
      const seen: unknown[] = []
      for (const announcedBytes of [message.length, null]) {
        const at = directory()
        await using spool = new Spool(options(at, { announcedBytes }))
        await receive(spool, message.subarray(0, 65_537), 4096)
        expect(fs.existsSync(path.join(at, 'spool'))).toBe(announcedBytes !== null)
        await receive(spool, message.subarray(65_537))
        const { body, header, fingerprint, ...rest } = await spool.complete(NOW_MS)
        expect(fs.readFileSync(body.kind === 'file' ? body.path : '').equals(message)).toBe(true)
        seen.push({ header: header.toString('latin1'), fingerprint, digest: rest.digest, messageId: rest.messageId })
      }
      expect(seen[0]).toEqual(seen[1])
    }
  })

  test('that is announced and then does not come is kept as what it is', async () => {
    const at = directory()
    await using spool = new Spool(options(at, { announcedBytes: bytes.length }))
    await receive(spool, SMALL)
    expect((await spool.complete(NOW_MS)).body).toEqual({ kind: 'memory', bytes: SMALL })
    await using middling = new Spool(options(at, { announcedBytes: bytes.length }))
    await receive(middling, bytes.subarray(0, 70_000))
    const { body, sizeBytes } = await middling.complete(NOW_MS)
    expect(sizeBytes).toBe(70_000)
    expect(fs.readFileSync(body.kind === 'file' ? body.path : '').equals(bytes.subarray(0, 70_000))).toBe(true)
  })

  test('that was announced and came by half holds no buffer while it is delivered (P5)', async () => {
    setFlagsFromString('--expose-gc')
    const collect = runInNewContext('gc') as () => void
    const at = directory()
    const some = bytes.subarray(0, 70_000)
    const spools = Array.from({ length: 40 }, () => new Spool(options(at, { announcedBytes: bytes.length })))
    collect()
    const before = process.memoryUsage().arrayBuffers
    // Of many accounts at the same time.
    for (const spool of spools) void spool.write(some)
    for (const spool of spools) expect((await spool.complete(NOW_MS)).body.kind).toBe('file')
    // What is kept is the header, and a few buffers for the next files. V8 counts what it freed some time afterwards.
    await vi.waitUntil(() => {
      collect()
      return process.memoryUsage().arrayBuffers - before < 40 * 70_000 + (3 << 20)
    }, 10_000)
    for (const spool of spools) await spool[Symbol.asyncDispose]()
  })

  test('keeps its bytes when the writer does not wait', async () => {
    const at = directory()
    await using spool = new Spool(options(at))
    for (let from = 0; from < bytes.length; from += 10_000) void spool.write(bytes.subarray(from, from + 10_000))
    const { body } = await spool.complete(NOW_MS)
    expect(fs.readFileSync(body.kind === 'file' ? body.path : '').equals(bytes)).toBe(true)
  })

  test('keeps its bytes when the disk writes a little at a time', async () => {
    const faults = new FaultyFileSystems(EXT4)
    faults.writeBytes = 99_999
    await using spool = new Spool(options(directory(), { fileSystem: faults.offLoop }))
    await receive(spool, bytes)
    const { body } = await spool.complete(NOW_MS)
    expect(fs.readFileSync(body.kind === 'file' ? body.path : '').equals(bytes)).toBe(true)
  })

  test('stops its writer while the disk is behind, and not before two buffers are full', async () => {
    const faults = new FaultyFileSystems(EXT4)
    const gate = Promise.withResolvers<void>()
    faults.before = (call) => (call === 'write' ? gate.promise : undefined)
    await using spool = new Spool(options(directory(), { fileSystem: faults.offLoop }))
    const mebibyte = Buffer.alloc(1 << 20, 'a')
    expect(spool.write(mebibyte)).toBeUndefined()
    const stop = spool.write(Buffer.from('b'))
    expect(stop).toBeInstanceOf(Promise)
    let resumed = false
    const resuming = stop!.then(() => {
      resumed = true
    })
    await new Promise(setImmediate)
    expect(resumed).toBe(false)
    gate.resolve()
    await resuming
    expect((await spool.complete(NOW_MS)).sizeBytes).toBe((1 << 20) + 1)
  })

  test('is gone after disposal, complete or not, once or twice', async () => {
    const at = directory()
    for (const complete of [true, false]) {
      const spool = new Spool(options(at))
      await receive(spool, bytes)
      expect(fs.readdirSync(path.join(at, 'spool'))).toHaveLength(1)
      if (complete) await spool.complete(NOW_MS)
      await spool[Symbol.asyncDispose]()
      await spool[Symbol.asyncDispose]()
      expect(fs.readdirSync(path.join(at, 'spool'))).toEqual([])
    }
  })

  test('may have been renamed away by then', async () => {
    const at = directory()
    await using spool = new Spool(options(at, { place: place(at), attempt: attempt() }))
    await receive(spool, bytes)
    await spool.complete(NOW_MS)
    fs.renameSync(path.join(at, fs.readdirSync(at)[0]!), path.join(at, 'delivered'))
    await spool[Symbol.asyncDispose]()
    expect(fs.readdirSync(at)).toEqual(['delivered'])
  })

  test('does not follow a link that somebody put in its place, nor replace a file', async () => {
    const at = directory()
    const secret = path.join(at, 'secret')
    fs.writeFileSync(secret, 'precious')
    fs.symlinkSync(secret, path.join(at, 'taken'))
    await using spool = new Spool(options(at, { place: place(at, { fileName: () => 'taken' }), attempt: attempt() }))
    await expect(receive(spool, bytes).then(() => spool.complete(NOW_MS))).rejects.toThrow('already exists')
    expect(fs.readFileSync(secret, 'latin1')).toBe('precious')
  })

  test('is not put into a directory that others may write to', async () => {
    const at = directory()
    fs.mkdirSync(path.join(at, 'spool'))
    fs.chmodSync(path.join(at, 'spool'), 0o777)
    await using spool = new Spool(options(at))
    await expect(receive(spool, bytes)).rejects.toThrow('not a directory that only popfetch writes to')
  })

  test('is given up, with its file, when the signal is aborted while the disk hangs', async () => {
    const at = directory()
    const faults = new FaultyFileSystems(EXT4)
    const stopped = new AbortController()
    faults.hanging.add('write')
    const spool = new Spool(options(at, { fileSystem: faults.offLoop, signal: stopped.signal }))
    const receiving = receive(spool, bytes)
    stopped.abort(new Error('told to stop'))
    await expect(receiving).rejects.toMatchObject({
      verdict: 'temporary',
      message: expect.stringContaining('told to stop'),
    })
  })

  test('leaves no file and a temporary error behind, whichever call fails', async () => {
    for (let failing = 1; ; failing++) {
      const at = directory()
      const faults = new FaultyFileSystems(EXT4)
      faults.failing = failing
      faults.errno = 'ENOSPC'
      const own = place(at)
      const spool = new Spool(options(at, { fileSystem: faults.offLoop, place: own, attempt: attempt() }))
      const receiving = receive(spool, bytes).then(() => spool.complete(NOW_MS))
      const outcome = await receiving.catch((error: unknown) => error)
      if (faults.calls < failing) {
        expect(outcome).toMatchObject({ sizeBytes: bytes.length })
        expect(failing).toBeGreaterThan(6)
        return
      }
      expect(outcome).toBeInstanceOf(DeliveryError)
      expect(outcome).toMatchObject({ verdict: 'temporary', scope: 'destination', retry: 'later' })
      await spool[Symbol.asyncDispose]()
      expect(fs.readdirSync(at)).toEqual([])
    }
  })

  test('is not taken when it would leave too little room', async () => {
    const faults = new FaultyFileSystems(EXT4)
    faults.freeBytes = 100_300_000
    await using spool = new Spool(options(directory(), { fileSystem: faults.offLoop }))
    const receiving = receive(spool, bytes).then(() => spool.complete(NOW_MS))
    await expect(receiving).rejects.toMatchObject({
      scope: 'message',
      message: expect.stringContaining('100 MB are free'),
    })
  })
})

describe('maxSize', () => {
  test.each([10, 1_500_000])('of %i bytes: as many are taken, one more is not', async (maxSizeBytes) => {
    await using spool = new Spool(options(directory(), { maxSizeBytes }))
    await receive(spool, Buffer.alloc(maxSizeBytes, 'a'))
    expect(() => spool.write(Buffer.from('b'))).toThrow(MessageTooLarge)
    await using exact = new Spool(options(directory(), { maxSizeBytes }))
    await receive(exact, Buffer.alloc(maxSizeBytes, 'a'))
    expect((await exact.complete(NOW_MS)).sizeBytes).toBe(maxSizeBytes)
  })
})

test('what a killed popfetch left in the directory is removed after 36 hours, other files are not', async () => {
  const at = directory()
  const left = `spool-${'a'.repeat(32)}`
  for (const name of [left, 'spool-x', 'mine']) fs.writeFileSync(path.join(at, name), '')
  await sweepSpool(at, Date.now() + 35 * 3_600_000)
  expect(fs.readdirSync(at)).toContain(left)
  await sweepSpool(at, Date.now() + 37 * 3_600_000)
  expect(fs.readdirSync(at).sort()).toEqual(['mine', 'spool-x'])
  await sweepSpool(path.join(at, 'absent'), NOW_MS)
})

describe('a file of the spool whose owner is certainly gone (S050)', () => {
  const number = 'a'.repeat(32)
  const machine = ownerName().split('-')[0] ?? ''
  /** No process has a number above 2²² (proc(5), pid_max). */
  const GONE = 2 ** 22 + 1

  test.each([
    ['whose process is gone', `${machine}-${GONE}`, true],
    ['whose number a living process has', ownerName(), false],
    ['of another machine or container', `${'0'.repeat(16)}-${GONE}`, false],
    ['without a number that can be one', `${machine}-99999999999`, false],
  ])('one %s', (_, owner, gone) => {
    expect(isGone(owner)).toBe(gone)
  })

  test('is removed at the next sweep, however young; others are not', async () => {
    const at = directory()
    const dead = `spool-${machine}-${GONE}-${number}`
    const others = [
      `spool-${ownerName()}-${number}`,
      `spool-${'0'.repeat(16)}-${GONE}-${number}`,
      `spool-${number}`,
      `spool-${machine}-${GONE}-${number}.txt`,
    ]
    for (const name of [dead, ...others]) fs.writeFileSync(path.join(at, name), '')
    await sweepSpool(at, Date.now())
    expect(fs.readdirSync(at).sort()).toEqual(others.toSorted())
  })

  test('is one of a process that was killed while it received a message', async () => {
    const at = directory()
    const child = spawnSync(process.execPath, [
      '--input-type=module',
      '--eval',
      `import fs from 'node:fs'
       const { spoolName } = await import(${JSON.stringify(path.resolve('src/deliver/disk/spool-files.ts'))})
       fs.writeFileSync(${JSON.stringify(at)} + '/' + spoolName(), 'half a message')
       process.kill(process.pid, 'SIGKILL')`,
    ])
    expect([child.signal, fs.readdirSync(at).length]).toEqual(['SIGKILL', 1])
    await sweepSpool(at, Date.now())
    expect(fs.readdirSync(at)).toEqual([])
  })
})
