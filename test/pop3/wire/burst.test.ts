// A burst asks for no more than may be on the wire, gives out what comes whole, and gives the rest back as soon as an answer is odd.
import { describe, expect, test } from 'vitest'
import { Burst, type BurstLine, type BurstOwner } from '../../../src/pop3/wire/burst.ts'

const MEMORY_BYTES = 256
/** Of `RETR 1` with its line end. */
const COMMAND_BYTES = 8
const BODY = 'a\r\n'
const ANSWER = `+OK\r\n${BODY}.\r\n`

/** A burst with its two neighbours: whose messages they are, and the queue, which gives the messages back as soon as it is asked to end. */
class Bursting implements BurstOwner, BurstLine {
  readonly burst: Burst
  mostBytes = 3 * COMMAND_BYTES
  isWilling = true
  free = 100
  /** For what comes next. */
  other: Buffer | null = null
  /** The commands, as they were sent together. */
  readonly sent: string[] = []
  /** The messages, as they came together. */
  readonly messages: (readonly string[])[] = []
  readonly clock: (readonly [bytes: number, ended: boolean, more: boolean])[] = []
  /** What was given back; null: it is not over. */
  back: { readonly from: number; readonly to: number; readonly together: number } | null = null
  end: ReturnType<Burst['end']> | null = null

  #memory: Buffer = Buffer.alloc(MEMORY_BYTES)

  constructor() {
    this.burst = new Burst(this, this, this.#memory)
  }

  /** Messages `from` to `to`, each announced with the size of BODY. */
  ask(from: number, to: number): void {
    const numbers = Array.from({ length: to - from + 1 }, (_, at) => from + at)
    this.burst.ask(
      numbers,
      numbers.map(() => BODY.length),
    )
  }

  /** In other memory. */
  goOn(): void {
    this.#memory = Buffer.alloc(MEMORY_BYTES)
    this.burst.goOn(this.#memory)
  }

  comes(text: string): boolean {
    return this.burst.take(Buffer.from(text, 'latin1'))
  }

  mayAsk(): boolean {
    return this.isWilling
  }

  room(): number {
    return this.free
  }

  came(_: number, starts: readonly number[], ends: readonly number[]): Buffer | null {
    this.messages.push(starts.map((start, at) => this.#memory.toString('latin1', start, ends[at])))
    this.#memory = this.other ?? this.#memory
    this.free -= starts.length
    return this.other
  }

  dissolved(from: number, to: number, together: number): void {
    this.back = { from, to, together }
  }

  send(commands: string): void {
    this.sent.push(commands)
  }

  heard(bytes: number, ended: boolean, more: boolean): void {
    this.clock.push([bytes, ended, more])
  }

  dissolve(): void {
    this.end = this.burst.end()
    this.burst.giveBack()
  }
}

function commands(...numbers: readonly number[]): string {
  return numbers.map((number) => `RETR ${number}\r\n`).join('')
}

describe('what is asked for', () => {
  test('is as much as may be on the wire; for each answer that came, as much follows', () => {
    const bursting = new Bursting()
    bursting.ask(1, 5)
    expect(bursting.sent).toEqual([commands(1, 2, 3)])
    expect(bursting.comes(ANSWER)).toBe(true)
    expect(bursting.sent.slice(1)).toEqual([commands(4)])
    expect(bursting.comes(ANSWER + ANSWER)).toBe(true)
    expect(bursting.sent.slice(2)).toEqual([commands(5)])
    expect(bursting.burst.asked).toBe(5)
  })

  test('counts each command as long as it is', () => {
    const bursting = new Bursting()
    bursting.mostBytes = 26
    // 8 bytes, then 9 each.
    bursting.ask(9, 12)
    expect(bursting.sent).toEqual([commands(9, 10, 11)])
    // Twice 9: 8 are left.
    bursting.comes(ANSWER)
    expect(bursting.sent.slice(1)).toEqual([])
    bursting.comes(ANSWER)
    expect(bursting.sent.slice(1)).toEqual([commands(12)])
  })

  test('is nothing while its owner does not want more; what is on the wire still comes', () => {
    const bursting = new Bursting()
    bursting.ask(1, 5)
    bursting.isWilling = false
    expect(bursting.comes(ANSWER + ANSWER + ANSWER)).toBe(true)
    expect(bursting.messages.flat()).toHaveLength(3)
    bursting.ask(6, 7)
    bursting.goOn()
    expect(bursting.sent).toEqual([commands(1, 2, 3)])
  })
})

describe('what comes', () => {
  test('is given out whole, as much as there is room for; the rest when there is room again', () => {
    const bursting = new Bursting()
    bursting.ask(1, 3)
    bursting.free = 2
    expect(bursting.comes(ANSWER + ANSWER + ANSWER)).toBe(true)
    expect(bursting.messages).toEqual([[BODY, BODY]])
    bursting.free = 2
    bursting.goOn()
    expect(bursting.messages).toEqual([[BODY, BODY], [BODY]])
    expect(bursting.back).toBeNull()
  })

  test('goes on in the memory that its owner gives, with what is not whole yet', () => {
    const bursting = new Bursting()
    bursting.ask(1, 2)
    bursting.other = Buffer.alloc(MEMORY_BYTES)
    bursting.comes(`${ANSWER}+OK\r\na`)
    expect(bursting.burst.filledBytes).toBe('+OK\r\na'.length)
    bursting.comes('\r\n.\r\n')
    expect(bursting.messages).toEqual([[BODY], [BODY]])
  })

  test('keeps the clock going: an answer that ends begins the next one, the last one stops it', () => {
    const bursting = new Bursting()
    bursting.ask(1, 2)
    bursting.comes('+OK\r\n')
    bursting.comes('a\r\n.\r\n')
    bursting.comes(ANSWER)
    expect(bursting.clock).toEqual([
      [0, true, true],
      [5, false, true],
      [6, true, true],
      [ANSWER.length, true, false],
    ])
  })

  test('is not given more time because more is asked for', () => {
    const bursting = new Bursting()
    bursting.ask(1, 1)
    bursting.ask(2, 2)
    expect(bursting.clock).toEqual([[0, true, true]])
  })

  test('keeps the clock going as well when it is cut only later', () => {
    const bursting = new Bursting()
    bursting.ask(1, 1)
    bursting.free = 0
    bursting.comes(ANSWER)
    bursting.free = 1
    bursting.goOn()
    expect(bursting.clock.slice(1)).toEqual([
      [ANSWER.length, false, true],
      [0, true, false],
    ])
  })
})

describe('its end', () => {
  test.each([
    ['a refusal', '-ERR no\r\n'],
    ['more than was announced', `+OK\r\n${BODY}${BODY}.\r\n`],
    ['less than was announced', '+OK\r\n.\r\n'],
  ])('comes with %s, which is left as it came; what came before is given out', (_, odd) => {
    const bursting = new Bursting()
    bursting.ask(1, 3)
    // All these bytes were taken: nobody else may read them.
    expect(bursting.comes(ANSWER + odd)).toBe(true)
    expect(bursting.messages).toEqual([[BODY]])
    expect(bursting.back).toEqual({ from: 1, to: 3, together: 3 })
    expect(bursting.end?.onWire).toEqual([2, 3])
    expect(bursting.end?.rest.toString()).toBe(odd)
  })

  test('comes with an odd answer for which there was no room before', () => {
    const bursting = new Bursting()
    bursting.ask(1, 2)
    bursting.free = 1
    bursting.comes(`${ANSWER}-ERR no\r\n`)
    expect(bursting.back).toBeNull()
    bursting.free = 1
    bursting.goOn()
    expect(bursting.back).toEqual({ from: 1, to: 2, together: 2 })
  })

  test('comes with bytes for which the memory has no room: they are not taken, and belong behind the rest', () => {
    const bursting = new Bursting()
    bursting.ask(1, 1)
    bursting.comes('+OK\r\n')
    expect(bursting.comes('x'.repeat(MEMORY_BYTES))).toBe(false)
    expect(bursting.end?.rest.toString()).toBe('+OK\r\n')
    expect(bursting.back).toEqual({ from: 0, to: 1, together: 0 })
  })

  test('comes with bytes that nobody asked for', () => {
    const bursting = new Bursting()
    bursting.ask(1, 1)
    expect(bursting.comes(`${ANSWER}+OK\r\n`)).toBe(true)
    expect(bursting.back).toEqual({ from: 1, to: 1, together: 0 })
    expect(bursting.end?.rest.toString()).toBe('+OK\r\n')
  })

  test('comes with such bytes also when all room is taken', () => {
    const bursting = new Bursting()
    bursting.ask(1, 1)
    bursting.free = 1
    bursting.comes(`${ANSWER}+OK\r\n`)
    expect(bursting.back).toEqual({ from: 1, to: 1, together: 0 })
  })

  test('does not give back what was never asked for', () => {
    const bursting = new Bursting()
    bursting.ask(1, 9)
    bursting.burst.dissolve()
    expect(bursting.back).toEqual({ from: 0, to: 3, together: 3 })
  })
})

describe('whether a message was on the wire with others', () => {
  test('is said of those that were sent together, and of one that was sent while another was due', () => {
    const bursting = new Bursting()
    bursting.mostBytes = 2 * COMMAND_BYTES
    bursting.ask(1, 3)
    expect(bursting.burst.last).toBeNull()
    for (const number of [1, 2, 3]) {
      bursting.comes(ANSWER)
      expect(bursting.burst.last).toEqual({ number, together: true })
    }
  })

  test('is not said of one that was alone', () => {
    const bursting = new Bursting()
    bursting.mostBytes = COMMAND_BYTES
    bursting.ask(1, 3)
    bursting.comes(ANSWER)
    expect(bursting.burst.last).toEqual({ number: 1, together: false })
    bursting.comes('-ERR no\r\n')
    expect(bursting.back).toEqual({ from: 1, to: 2, together: 0 })
    expect(bursting.end?.together).toBeLessThanOrEqual(0)
  })

  test('is said of those alone that were, where others followed one by one', () => {
    const bursting = new Bursting()
    bursting.mostBytes = 2 * COMMAND_BYTES
    bursting.ask(1, 2)
    bursting.comes(ANSWER + ANSWER)
    bursting.mostBytes = COMMAND_BYTES
    bursting.ask(3, 4)
    bursting.comes('-ERR no\r\n')
    expect(bursting.back).toEqual({ from: 2, to: 3, together: 2 })
    expect(bursting.end).toMatchObject({ onWire: [3], together: 0 })
  })
})
