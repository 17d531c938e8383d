// An smtp destination as a whole: refusals, a failed destination, being stopped.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import {
  attempt,
  content,
  destination,
  envelope,
  failure,
  hello,
  MAIL,
  mail,
  message,
  never,
  outcome,
  rcpt,
  scripted,
  sink,
} from './scene.ts'

test('EHLO has the name in helo', async () => {
  const server = await scripted([
    { send: '220 mx' },
    { expect: 'EHLO mail.example.net' },
    { send: '250 mx' },
    { ignore: true },
  ])
  await destination(server.port, { helo: 'mail.example.net' }).ready(never)
})

describe('refusals', () => {
  test.each([
    ['rcpt', '550 5.1.1 no such user', 'RCPT temporary recipient 75'],
    ['rcpt', '450 4.2.1 mailbox busy', 'RCPT temporary recipient 75'],
    ['dot', '554 5.7.1 spam', 'BAD refused message 75'],
    ['dot', '451 4.3.0 later', 'TEMP temporary message 75'],
    ['mail', '451 4.3.0 later', 'BUSY temporary destination 75'],
    ['mail', '530 5.7.0 sign in first', 'SIGN temporary destination 77'],
    ['connect', '554 5.7.1 blocked', 'BUSY temporary destination 75'],
    ['connect', '421 busy', 'BUSY temporary destination 75'],
  ] as const)('at %s, "%s" is %s (D030, D031, D071)', async (stage, answer, expected) => {
    const server = await sink()
    server.faults[stage] = answer
    const smtp = destination(server.port, { from: { kind: 'address', address: 'me@example.com' } })
    const error = await failure(smtp.deliver(attempt(), message(MAIL), never))
    expect(outcome(error)).toBe(expected)
    expect(error.message).toContain(`"${answer.slice(0, 3)}`)
    expect(server.messages).toEqual([])
  })

  test('leave the connection good for the next message', async () => {
    const server = await sink()
    const smtp = destination(server.port)
    for (const [index, stage] of (['rcpt', 'dot'] as const).entries()) {
      server.faults[stage] = '451 later'
      await failure(smtp.deliver(attempt(`f${index}`), message(MAIL), never))
      server.faults[stage] = null
      await smtp.deliver(attempt(`g${index}`), message(MAIL), never)
    }
    expect(server.messages).toHaveLength(2)
    expect(server.connections).toBe(1)
  })

  test('a server without PIPELINING and without RSET is only asked again on a new connection (D049)', async () => {
    const server = await scripted(
      [
        ...hello,
        ...mail,
        { expect: /^RCPT/ },
        { send: '450 later' },
        { expect: 'RSET' },
        { send: '502 what' },
        { ignore: true },
      ],
      [...hello, ...envelope, ...content, { send: '250 ok' }, { ignore: true }],
    )
    const smtp = destination(server.port)
    await failure(smtp.deliver(attempt('1'), message(MAIL), never))
    await smtp.deliver(attempt('2'), message(MAIL), never)
  })
})

describe('a failed destination', () => {
  test('refuses at once until it is asked again whether it is there', async () => {
    const server = await sink()
    server.faults.mail = '451 4.3.0 later'
    const smtp = destination(server.port, { from: { kind: 'null' } })
    const first = await failure(smtp.deliver(attempt('1'), message(MAIL), never))
    server.faults.mail = null
    const second = await failure(smtp.deliver(attempt('2'), message(MAIL), never))
    expect([first, second].map(outcome)).toEqual(['BUSY temporary destination 75', 'BUSY temporary destination 75'])
    // What was said of the first message is not told as said of the second (D132).
    for (const { message: words } of [first, second]) expect(words).toContain('MAIL FROM was rejected')
    expect(server.messages).toEqual([])
    await smtp.ready(never)
    await smtp.deliver(attempt('3'), message(MAIL), never)
    expect(server.messages).toHaveLength(1)
  })

  test('makes others temporary where it left one message unknown', async () => {
    const server = await scripted([
      ...hello,
      ...mail,
      ...rcpt,
      { expect: 'DATA' },
      { send: '250 weird' },
      { ignore: true },
    ])
    const smtp = destination(server.port)
    expect((await failure(smtp.deliver(attempt('1'), message(MAIL), never))).verdict).toBe('unknown')
    expect(outcome(await failure(smtp.deliver(attempt('2'), message(MAIL), never)))).toBe(
      'TLS temporary destination 76',
    )
    expect(server.connections).toBe(1)
  })

  test('is one nobody listens at', async () => {
    const server = await sink()
    const { port } = server
    await server[Symbol.asyncDispose]()
    const smtp = destination(port)
    const error = await failure(smtp.ready(never))
    expect(outcome(error)).toBe('DOWN temporary destination 75')
    expect(error.message).toMatch(/^smtp mx: connecting failed: .*ECONNREFUSED/)
  })

  test('is told to all who wait for a connection, not one after the other', async () => {
    const server = await sink()
    server.faults.connect = '421 busy'
    const smtp = destination(server.port, { concurrency: 2 })
    const all = Array.from({ length: 6 }, (_, n) => failure(smtp.deliver(attempt(`${n}`), message(MAIL), never)))
    expect((await Promise.all(all)).map(outcome)).toEqual(Array(6).fill('BUSY temporary destination 75'))
    expect(server.connections).toBe(2)
  })
})

describe('being stopped', () => {
  test('ends a wait for a connection, a wait for an answer, and leaves the others alone', async () => {
    const server = await sink()
    const reached = Promise.withResolvers<void>()
    const answer = Promise.withResolvers<string | null>()
    server.faults.rcpt = () => {
      reached.resolve()
      return answer.promise
    }
    const smtp = destination(server.port, { concurrency: 1 })
    const first = smtp.deliver(attempt('1'), message(MAIL), never)
    await reached.promise
    const stop = new AbortController()
    const waiting = failure(smtp.deliver(attempt('2'), message(MAIL), stop.signal))
    stop.abort()
    expect(outcome(await waiting)).toBe('TEMP temporary message 75')
    answer.resolve(null)
    await first
    expect(server.messages).toHaveLength(1)
  })

  test('before the content is through is temporary, and after it unknown', async () => {
    for (const [stage, verdict] of [
      ['rcpt', 'TEMP temporary'],
      ['dot', 'LOST unknown'],
    ] as const) {
      const server = await sink()
      const stop = new AbortController()
      server.faults[stage] = () => {
        stop.abort()
        return 'stall'
      }
      const error = await failure(destination(server.port).deliver(attempt(), message(MAIL), stop.signal))
      expect(outcome(error)).toBe(`${verdict} message 75`)
    }
  })

  test('by closing it ends what is under way', async () => {
    const server = await sink()
    const smtp = destination(server.port)
    server.faults.rcpt = () => {
      void smtp[Symbol.asyncDispose]()
      return 'stall'
    }
    expect((await failure(smtp.deliver(attempt(), message(MAIL), never))).verdict).toBe('temporary')
    expect((await failure(smtp.deliver(attempt(), message(MAIL), never))).verdict).toBe('temporary')
  })
})

test('nodemailer is pinned to the version whose log and callbacks were read (D076)', () => {
  const read = (file: string): unknown => JSON.parse(readFileSync(join(import.meta.dirname, '../../..', file), 'utf8'))
  expect(read('package.json')).toMatchObject({ devDependencies: { nodemailer: '10.6.1' } })
  expect(read('node_modules/nodemailer/package.json')).toMatchObject({ version: '10.6.1' })
})
