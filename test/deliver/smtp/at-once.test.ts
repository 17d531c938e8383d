// What is tried at once, before a message is deferred: our own sender (D121), a question with our own sender (D127), another
// connection, a short pause. Also what happens when a connection is renewed.
import type timers from 'node:timers/promises'
import { beforeEach, describe, expect, test, vi } from 'vitest'
import {
  attempt,
  content,
  destination,
  envelope,
  failure,
  hello,
  heardBy,
  MAIL,
  message,
  never,
  outcome,
  scripted,
  sink,
  TRACE,
} from './scene.ts'

const waits: number[] = []

vi.mock('node:timers/promises', async (original) => ({
  ...(await original<typeof timers>()),
  setTimeout: (ms: number) => {
    waits.push(ms)
    return Promise.resolve()
  },
}))

beforeEach(() => {
  waits.length = 0
})

const OWN = 'me@example.com'
const BOUNCE = 'Return-Path: <>\r\nSubject: bounce\r\n\r\nBody\r\n'

/** Refuses everybody but us. */
const onlyUs =
  (answer: string) =>
  (sender: string): string | null =>
    sender === OWN ? null : answer

describe('a sender that is refused as such', () => {
  test.each([
    ['unknown domain', '450 4.1.8 <x>: Sender address rejected: Domain not found'],
    ['unknown address', '550 5.1.7 no such sender'],
    ['not ours to use', '553 5.7.1 <x>: Sender address rejected: not owned by user me'],
    ['not ours to use, without a code', '553 sorry, that sender is not allowed'],
    ['no full name', '504 5.5.2 <x>: Sender address rejected: need fully-qualified address'],
    ['SPF', '550 5.7.23 SPF validation failed'],
  ])('(%s) is replaced by our own at once (D121)', async (_, answer) => {
    for (const [text, first] of [
      [MAIL, 'list@example.org'],
      [BOUNCE, ''],
    ] as const) {
      const server = await sink()
      const senders: string[] = []
      server.faults.mail = (sender) => (senders.push(sender), onlyUs(answer)(sender))
      const receipt = await destination(server.port).deliver(attempt(), message(text), never)
      expect(receipt.text).toMatch(/^sent from our own address: 250 /)
      expect(senders).toEqual([first, OWN])
      expect(server.messages.map(({ from }) => from)).toEqual([OWN])
    }
  })

  test('at RCPT is replaced as well', async () => {
    const server = await sink()
    let asked = 0
    server.faults.rcpt = () => (asked++ === 0 ? '553 5.1.8 sender domain unknown' : null)
    await destination(server.port).deliver(attempt(), message(MAIL), never)
    expect(server.messages[0]?.from).toBe(OWN)
  })

  test('is replaced once: our own refused likewise speaks of the destination', async () => {
    const server = await sink()
    const senders: string[] = []
    server.faults.mail = (sender) => (senders.push(sender), '553 5.7.1 not owned by user me')
    const error = await failure(destination(server.port).deliver(attempt(), message(MAIL), never))
    expect(senders).toEqual(['list@example.org', OWN])
    expect(outcome(error)).toBe('BUSY temporary destination 75')
    // It is `from` that would help, not `to` (D132).
    expect(error.message).toContain(`MAIL FROM <${OWN}> was rejected`)
    expect(error.message).toContain('check from, user')
  })

  test('of mail that has been through popfetch is not replaced: it is held (D047)', async () => {
    const server = await sink()
    server.faults.mail = onlyUs('553 5.1.8 no')
    const error = await failure(
      destination(server.port).deliver(attempt(), message(`${TRACE.replace(/ id \w+/, ' id 0123')}${MAIL}`), never),
    )
    expect(outcome(error)).toBe(`HELD held message 75`)
    expect(error.message).toContain('been through popfetch')
    expect(server.messages).toEqual([])
  })
})

describe('a refusal before the content that may speak of anybody', () => {
  test.each(['554 5.7.1 rejected', '450 4.7.1 rejected', '550 no', '451 no'])(
    '"%s", and our own sender would be taken: it speaks of the message (D127)',
    async (answer) => {
      for (const step of ['mail', 'rcpt'] as const) {
        const server = await sink()
        const senders: string[] = []
        server.faults.mail = (sender) => (senders.push(sender), step === 'mail' ? onlyUs(answer)(sender) : null)
        server.faults.rcpt = () => (step === 'rcpt' && senders.at(-1) !== OWN ? answer : null)
        const smtp = destination(server.port, { concurrency: 1 })
        const error = await failure(smtp.deliver(attempt(), message(MAIL), never))
        expect(outcome(error)).toBe(answer.startsWith('5') ? 'BAD refused message 75' : 'TEMP temporary message 75')
        expect(senders).toEqual(['list@example.org', OWN])
        expect(server.messages).toEqual([])
        // The connection is as good as before.
        await smtp.deliver(attempt('2'), message(MAIL.replace('list@example.org', OWN)), never)
        expect(server.connections).toBe(1)
      }
    },
  )

  test.each([
    ['mail', 'BUSY temporary destination 75'],
    ['rcpt', 'RCPT temporary recipient 75'],
  ] as const)('at %s, and our own sender is refused alike: it speaks of %s', async (step, expected) => {
    const server = await sink()
    server.faults[step] = (subject) => `554 5.7.1 <${subject}>: relaying denied`
    const error = await failure(destination(server.port).deliver(attempt(), message(MAIL), never))
    expect(outcome(error)).toBe(expected)
    expect(error.message).toContain(
      step === 'mail' ? 'MAIL FROM was rejected' : 'RCPT TO <me@example.com> was rejected',
    )
  })

  test.each(['550 5.7.9 another reason', '451 4.7.1 busy', 'drop'])(
    'and our own sender is answered otherwise ("%s"): nobody knows, the message waits',
    async (otherwise) => {
      const server = await sink()
      server.faults.mail = (sender) => (sender === OWN ? otherwise : '554 5.7.1 rejected')
      const error = await failure(destination(server.port).deliver(attempt(), message(MAIL), never))
      expect(outcome(error)).toBe('TEMP temporary message 75')
    },
  )

  test('of our own sender is not asked about again', async () => {
    const server = await sink()
    let asked = 0
    server.faults.rcpt = () => (asked++, '554 5.7.1 relaying denied')
    const smtp = destination(server.port, { from: { kind: 'address', address: OWN } })
    expect(outcome(await failure(smtp.deliver(attempt(), message(MAIL), never)))).toBe('RCPT temporary recipient 75')
    expect(asked).toBe(1)
  })

  test('a run of refused senders before good mail lets the good mail through', async () => {
    const server = await sink()
    server.faults.mail = (sender) => (sender.startsWith('spam') ? '554 5.7.1 rejected' : null)
    const smtp = destination(server.port, { concurrency: 1 })
    await smtp.ready(never)
    for (let n = 0; n < 60; n++) {
      const spam = message(MAIL.replace('list@', `spam${n}@`))
      expect((await failure(smtp.deliver(attempt(`s${n}`), spam, never))).conclusion).toBe('BAD')
    }
    for (let n = 0; n < 10; n++) await smtp.deliver(attempt(`g${n}`), message(MAIL), never)
    expect(server.messages).toHaveLength(10)
    // Servers count errors: ten on one connection are enough.
    expect(server.connections).toBeGreaterThanOrEqual(60 / 10)
  })
})

describe('another connection', () => {
  test.each(['421 4.4.2 timeout exceeded', 'cut'])(
    'takes over when a used one ends with %s before MAIL',
    async (end) => {
      const dead = end === 'cut' ? ({ cut: 'fin' } as const) : { send: end }
      const taken = [...envelope, ...content, { send: '250 ok' }]
      const ending =
        end === 'cut' ? [{ expect: /^MAIL/ }, dead] : [{ expect: /^MAIL/ }, dead, { ignore: true } as const]
      const server = await scripted([...hello, ...taken, ...ending], [...hello, ...taken, { ignore: true }])
      const smtp = destination(server.port, { concurrency: 1 })
      await smtp.deliver(attempt('1'), message(MAIL), never)
      await smtp.deliver(attempt('2'), message(MAIL), never)
      expect(heardBy(server, 1)).toContain('Body')
    },
  )

  test('is not tried when a new one is answered 421: the destination is left alone', async () => {
    const server = await sink()
    server.faults.mail = '421 4.7.0 later'
    const error = await failure(destination(server.port).deliver(attempt(), message(MAIL), never))
    expect(outcome(error)).toBe('BUSY temporary destination 75')
    expect(server.connections).toBe(1)
  })

  test.each(['connect', 'mail'] as const)(
    'is not opened where the server says at %s that there are too many',
    async (step) => {
      const server = await sink()
      let open = 0
      const second = Promise.withResolvers<void>()
      const busy = Promise.withResolvers<string | null>()
      server.faults.dot = () => busy.promise
      server.faults[step] = () => {
        open++
        if (open > 1) second.resolve()
        return open > 1 && server.messages.length === 0 ? '421 4.7.0 too many connections' : null
      }
      const smtp = destination(server.port, { concurrency: 4 })
      const all = Promise.all(['1', '2', '3'].map((uidl) => smtp.deliver(attempt(uidl), message(MAIL), never)))
      await second.promise
      busy.resolve(null)
      await all
      expect(server.messages).toHaveLength(3)
    },
  )
})

describe('a pause that the server names', () => {
  test('of up to a minute is waited out, and the message offered again', async () => {
    const server = await sink()
    let asked = 0
    server.faults.dot = () => (asked++ === 0 ? '451 4.7.28 slow down, retry after 30 seconds' : null)
    await destination(server.port).deliver(attempt(), message(MAIL), never)
    expect(waits).toEqual([30_000])
    expect(server.messages).toHaveLength(1)
  })

  test('is waited out once a message; then it is the poll that obeys it', async () => {
    const server = await sink()
    server.faults.mail = '421 4.7.28 slow down, retry after 30 seconds'
    const error = await failure(destination(server.port).deliver(attempt(), message(MAIL), never))
    expect(waits).toEqual([30_000])
    expect([error.conclusion, error.pauseMs]).toEqual(['BUSY', 30_000])
  })

  test('of more than a minute is not waited out, nor that of a greylist, which is the message’s own', async () => {
    const server = await sink()
    server.faults.dot = '451 4.7.28 retry after 61 seconds'
    const long = await failure(destination(server.port).deliver(attempt(), message(MAIL), never))
    expect([long.conclusion, long.pauseMs]).toEqual(['BUSY', 61_000])
    server.faults.dot = '451 4.7.1 greylisted for 30 seconds'
    const grey = await failure(destination(server.port).deliver(attempt(), message(MAIL), never))
    expect([grey.conclusion, grey.counts, grey.pauseMs]).toEqual(['TEMP', false, 30_000])
    expect(waits).toEqual([])
  })
})

describe('words', () => {
  test.each([
    ['dot', '554 5.7.1 no', 'the message for <me@example.com> was rejected'],
    ['rcpt', '550 5.1.1 no', 'RCPT TO <me@example.com> was rejected'],
  ] as const)('of a refusal at %s name the recipient (D132)', async (step, answer, words) => {
    const server = await sink()
    server.faults[step] = answer
    const error = await failure(destination(server.port).deliver(attempt(), message(MAIL), never))
    expect(error.message).toContain(words)
  })
})
