// What a socket reads, in memory that is used again: everything comes out once, in order, and nothing that is in use is written over.
import { setImmediate as turn } from 'node:timers/promises'
import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Intake } from '../../../src/pop3/network/intake.ts'

/** A socket as Node has it: it asks where to read to after each read, and at its start. */
class ReadingSocket {
  readonly intake: Intake
  #memory: Buffer
  #next = 0
  sent: number[] = []

  constructor(gathers: boolean) {
    this.intake = new Intake(gathers)
    this.#memory = this.intake.onread.buffer()
  }

  /** Reads up to `bytes`. Returns whether it is to go on. */
  read(bytes: number): boolean {
    const length = Math.min(bytes, this.#memory.length)
    for (let at = 0; at < length; at++) {
      const byte = this.#next++ % 251
      this.#memory[at] = byte
      this.sent.push(byte)
    }
    const goesOn = this.intake.onread.callback(length)
    this.#memory = this.intake.onread.buffer()
    expect(this.#memory.length).toBeGreaterThan(0)
    return goesOn
  }
}

describe.each([false, true])('an intake that gathers: %s', (gathers) => {
  it('gives out all that came, in order, and leaves alone what is in use', async () => {
    const step = fc.oneof(
      fc.record({ kind: fc.constant('read' as const), bytes: fc.integer({ min: 1, max: 20_000 }) }),
      fc.record({ kind: fc.constantFrom('hold' as const, 'release' as const, 'turn' as const) }),
    )
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 40 }), async (steps) => {
        const socket = new ReadingSocket(gathers)
        const taken: Buffer[] = []
        const inUse: { chunk: Buffer; before: Buffer }[] = []
        let holdsNext = false
        socket.intake.start((chunk) => {
          const before = Buffer.from(chunk)
          taken.push(before)
          if (holdsNext) socket.intake.hold()
          if (holdsNext) inUse.push({ chunk, before })
        })
        const release = (): void => {
          for (const { chunk, before } of inUse) expect(chunk.equals(before)).toBe(true)
          inUse.length = 0
          holdsNext = false
          socket.intake.release()
        }
        for (const each of steps) {
          if (each.kind === 'read') socket.read(each.bytes)
          else if (each.kind === 'hold') holdsNext = true
          else if (each.kind === 'release') release()
          else await turn()
        }
        let isDrained = false
        socket.intake.end(() => (isDrained = true))
        release()
        for (let time = 0; time < 3; time++) await turn()
        expect(isDrained).toBe(true)
        expect(Buffer.concat(taken).equals(Buffer.from(socket.sent))).toBe(true)
      }),
      { numRuns: 200 },
    )
  })

  it('stops the socket before anybody takes, and while it is held', async () => {
    const socket = new ReadingSocket(gathers)
    expect(socket.read(10)).toBe(false)
    const taken: number[] = []
    socket.intake.start(({ length }) => taken.push(length))
    await turn()
    expect(socket.read(20)).toBe(true)
    await turn()
    socket.intake.hold()
    expect(socket.read(30)).toBe(false)
    await turn()
    expect(taken).toEqual([10, 20])
    socket.intake.release()
    await turn()
    expect(taken).toEqual([10, 20, 30])
  })

  it('does not give out more to somebody who holds and releases while he takes', async () => {
    const socket = new ReadingSocket(gathers)
    let depth = 0
    const taken: number[] = []
    socket.intake.start(({ length }) => {
      expect(depth++).toBe(0)
      socket.intake.hold()
      socket.intake.release()
      taken.push(length)
      depth--
    })
    socket.intake.hold()
    for (let time = 0; time < 12; time++) socket.read(16 << 10)
    socket.intake.release()
    await turn()
    expect(taken.length).toBeGreaterThan(1)
    expect(taken.reduce((sum, length) => sum + length, 0)).toBe(socket.sent.length)
  })

  it('says that the end has come after the last bytes, and not while it is held', async () => {
    const socket = new ReadingSocket(gathers)
    const told: string[] = []
    socket.intake.start(({ length }) => told.push(String(length)))
    socket.intake.hold()
    socket.read(7)
    socket.intake.end(() => told.push('end'))
    await turn()
    expect(told).toEqual([])
    socket.intake.release()
    await turn()
    expect(told).toEqual(['7', 'end'])
  })
})

it('one that gathers gives out what came in one turn together', async () => {
  const socket = new ReadingSocket(true)
  const taken: number[] = []
  socket.intake.start(({ length }) => taken.push(length))
  for (let time = 0; time < 2; time++) for (const bytes of [4096, 100, 1]) socket.read(bytes)
  expect(taken).toEqual([])
  await turn()
  expect(taken).toEqual([2 * 4197])
})
