// Several destinations as one: who is asked, and when the next is.
import { describe, expect, test } from 'vitest'
import { type Concluded, concluded } from '../../src/deliver/answers/conclusions.ts'
import type { Attempt, Destination } from '../../src/deliver/destination.ts'
import { firstOf } from '../../src/deliver/first-of.ts'
import { DeliveryError } from '../../src/errors.ts'
import { attempt, message, never, SMALL } from './scene.ts'

/** Takes everything, refuses everything, or fails in one way; remembers what it was asked. */
class Fake implements Destination {
  readonly description = 'fake'
  readonly recipients: readonly string[]
  readonly spool = null
  remembers = true
  fails: Concluded | null = null
  down: DeliveryError | null = null
  arrived: string | null = null
  readonly asked: Attempt[] = []
  readonly #name: string

  constructor(name: string, recipient = '') {
    this.#name = name
    this.recipients = [recipient]
  }

  async ready(): Promise<void> {
    await Promise.resolve()
    if (this.down !== null) throw this.down
  }

  async probe() {
    await this.ready()
    return { tls: null, findings: [{ name: 'fake', value: this.#name }], warnings: [] }
  }

  async recall({ intent }: Attempt) {
    await Promise.resolve()
    return intent === this.arrived ? { text: 'here', received: null } : null
  }

  census = () => Promise.resolve(null)

  async deliver(tried: Attempt) {
    await Promise.resolve()
    this.asked.push(tried)
    if (this.fails === null) return { text: 'taken' }
    throw new DeliveryError(`${this.#name} says no`, this.fails)
  }

  [Symbol.asyncDispose] = () => Promise.reject(new Error('closed by its owner, not by the group'))
}

function group() {
  const [a, b, c] = [new Fake('a', 'a@example.org'), new Fake('b'), new Fake('c')]
  const members = [
    { name: 'a', destination: a, recipient: 'a@example.org' },
    { name: 'b', destination: b, recipient: '' },
    { name: 'c', destination: c, recipient: '' },
  ]
  return { a, b, c, all: firstOf('first-of: a, b, c', members) }
}

async function failure(work: Promise<unknown>): Promise<unknown> {
  return await work.then(
    () => null,
    (thrown: unknown) => thrown,
  )
}

describe('deliver', () => {
  test('asks the first, with its recipient, and says who took it', async () => {
    const { a, b, all } = group()
    const tried = attempt()
    expect(await all.deliver(tried, message(SMALL), never)).toEqual({ text: 'a: taken' })
    expect(a.asked).toEqual([{ ...tried, recipient: 'a@example.org' }])
    expect(b.asked).toEqual([])
  })

  const refusals = [
    ['of the message', concluded('BAD', 'no')],
    ['of its form', concluded('FORM', 'no')],
    ['of its way, which may be a circle', concluded('HELD', 'loop')],
    ['of the recipient for good', concluded('RCPT', 'no', { same: '550 1.1' })],
  ] as const
  test.each(refusals)('asks the next at once after a refusal %s, in the same attempt (D133)', async (_, refusal) => {
    const { a, b, c, all } = group()
    a.fails = b.fails = refusal
    const tried = attempt()
    expect(await all.deliver(tried, message(SMALL), never)).toEqual({ text: 'c: taken' })
    expect(c.asked).toEqual([tried])
  })

  const waits = [
    ...(['DOWN', 'TLS', 'SIGN', 'BUSY', 'ROOM', 'ACT', 'TEMP', 'CUT', 'LOST'] as const).map((name) =>
      concluded(name, 'no'),
    ),
    concluded('RCPT', 'no', { same: '450 2.1' }),
  ]
  test.each(waits)('does not after $conclusion ($same)', async (answer) => {
    const { a, b, all } = group()
    a.fails = answer
    const { conclusion, verdict, scope } = answer
    expect(await failure(all.deliver(attempt(), message(SMALL), never))).toMatchObject({ conclusion, verdict, scope })
    expect(b.asked).toEqual([])
  })

  test.each(waits)('of one further on, $conclusion ($same) concerns this message alone', async (answer) => {
    const { a, b, c, all } = group()
    a.fails = concluded('BAD', 'no')
    b.fails = answer
    const { conclusion, verdict } = answer
    const expected = { conclusion, verdict, scope: 'message' }
    expect(await failure(all.deliver(attempt(), message(SMALL), never))).toMatchObject(expected)
    expect(c.asked).toEqual([])
  })

  test('is refused when all refuse; held when one of them wants that', async () => {
    const { a, b, c, all } = group()
    a.fails = b.fails = c.fails = concluded('BAD', 'no')
    const words = 'a says no; b says no; c says no'
    expect(await failure(all.deliver(attempt(), message(SMALL), never))).toMatchObject({
      verdict: 'refused',
      message: words,
    })
    b.fails = concluded('HELD', 'loop')
    expect(await failure(all.deliver(attempt(), message(SMALL), never))).toMatchObject({
      verdict: 'held',
      message: words,
    })
  })

  test('waits for the last one, where only that is left and it refuses the recipient', async () => {
    const { a, b, c, all } = group()
    a.fails = b.fails = concluded('BAD', 'no')
    c.fails = concluded('RCPT', 'no', { same: '550 1.1' })
    const waiting = { verdict: 'temporary', scope: 'message', conclusion: 'RCPT' }
    expect(await failure(all.deliver(attempt(), message(SMALL), never))).toMatchObject(waiting)
  })
})

describe('ready', () => {
  const down = new DeliveryError('down', concluded('DOWN', 'cut'))

  test('is what the first is', async () => {
    const { a, all } = group()
    await all.ready(never)
    a.down = down
    expect(await failure(all.ready(never))).toBe(down)
  })

  test('is not kept by the others', async () => {
    const { b, c, all } = group()
    b.down = c.down = down
    await all.ready(never)
  })
})

test('recall asks each, and remembers only when all do', async () => {
  const { b, all } = group()
  const tried = attempt()
  expect(await all.recall(tried, never)).toBeNull()
  b.arrived = tried.intent
  expect(await all.recall(tried, never)).toEqual({ text: 'b: here', received: null })
  expect(all.remembers).toBe(true)
  b.remembers = false
  expect(firstOf('x', [{ name: 'b', destination: b, recipient: '' }]).remembers).toBe(false)
})

test('closing the group closes none of them', async () => {
  const { all } = group()
  await all[Symbol.asyncDispose]()
})
