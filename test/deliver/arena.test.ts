import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { Arena } from '../../src/deliver/arena.ts'
import { Reserve } from '../../src/deliver/disk/reserve.ts'
import { Spool, type SpoolOptions } from '../../src/deliver/spool.ts'
import { directory, origin } from './scene.ts'

describe('the arena', () => {
  test('never gives out memory that somebody may still read, whatever is given back or lost', () => {
    const step = fc.record({
      bytes: fc.integer({ min: 1, max: 16 << 10 }),
      end: fc.constantFrom('give', 'give', 'give', 'lose', null),
      which: fc.nat(),
    })
    fc.assert(
      fc.property(fc.array(step, { maxLength: 400 }), (steps) => {
        const arena = new Arena()
        const held: { readonly piece: Buffer; readonly mark: number; readonly lost: boolean }[] = []
        let mark = 0
        for (const { bytes, end, which } of steps) {
          const piece = arena.take(bytes)
          if (piece !== null) {
            expect(piece).toHaveLength(bytes)
            mark = (mark + 1) % 256
            held.push({ piece: piece.fill(mark), mark, lost: false })
          }
          const living = held.filter(({ lost }) => !lost)
          const ended = living[which % Math.max(living.length, 1)]
          if (end !== null && ended !== undefined) {
            held.splice(held.indexOf(ended), 1)
            if (end === 'lose') held.push({ ...ended, lost: true })
            arena[end](ended.piece)
          }
          for (const { piece: kept, mark: own } of held) expect(kept.every((byte) => byte === own)).toBe(true)
        }
      }),
      { numRuns: 40 },
    )
  })

  test('uses what was given back again', () => {
    const arena = new Arena()
    const memories = new Set<ArrayBufferLike>()
    for (let count = 0; count < 10_000; count++) {
      const pieces = Array.from({ length: 20 }, () => arena.take(4000))
      for (const piece of pieces) {
        memories.add(piece!.buffer)
        arena.give(piece!)
      }
    }
    expect(memories.size).toBeLessThanOrEqual(3)
  })

  test('has an end, also when each block is held by one small message', () => {
    const arena = new Arena()
    const pieces: Buffer[] = []
    for (let piece = arena.take(16 << 10); piece !== null; piece = arena.take(16 << 10)) pieces.push(piece)
    expect(pieces).toHaveLength(128 * 4)
    // What is lost is left to the garbage collector, and others take its place.
    for (const piece of pieces) arena.lose(piece)
    expect(arena.take(1000)).not.toBeNull()
  })

  test('leaves large messages to themselves', () => {
    expect(new Arena().take((16 << 10) + 1)).toBeNull()
  })
})

describe('a spool with an arena', () => {
  const options = (arena: Arena, announcedBytes: number | null): SpoolOptions => ({
    origin: origin(),
    place: null,
    attempt: null,
    directory: directory(),
    announcedBytes,
    maxSizeBytes: null,
    reserve: new Reserve(),
    arena,
    signal: new AbortController().signal,
  })
  const bytes = Buffer.from('Subject: one\r\n\r\ntwo\r\nthree\r\n')

  test.each([
    ['as announced', bytes.length],
    ['longer than announced', 5],
    ['shorter than announced', 4000],
    ['without an announcement', null],
    ['announced as large', 1 << 20],
  ])('has the same message %s, however it is cut', async (_, announcedBytes) => {
    for (let cut = 0; cut <= bytes.length; cut++) {
      await using spool = new Spool(options(new Arena(), announcedBytes))
      await spool.write(Buffer.from(bytes.subarray(0, cut)))
      await spool.write(Buffer.from(bytes.subarray(cut)))
      const message = await spool.complete(0)
      expect(message.body).toEqual({ kind: 'memory', bytes })
      expect(message.sizeBytes).toBe(bytes.length)
      expect(message.header.toString()).toContain('Subject: one')
    }
  })

  test('keeps no buffer of the socket', async () => {
    const arena = new Arena()
    const spool = new Spool(options(arena, bytes.length))
    const chunk = Buffer.from(bytes)
    await spool.write(chunk)
    chunk.fill(0)
    expect((await spool.complete(0)).body).toEqual({ kind: 'memory', bytes })
  })

  test('gives memory back only when it is told to', async () => {
    const arena = new Arena()
    const first = new Spool(options(arena, bytes.length))
    await first.write(bytes)
    const message = await first.complete(0)
    await first[Symbol.asyncDispose]()
    // Disposed of without a word: it may still be read.
    for (let count = 0; count < 100; count++) arena.take(16 << 10)?.fill(1)
    expect(message.body).toEqual({ kind: 'memory', bytes })
  })
})
