// What stays in doubt at Gmail, whatever is answered later; answers that are compressed, and pauses as they are written.
import { gzipSync } from 'node:zlib'
import { describe, expect, test } from 'vitest'
import { PopfetchError } from '../../../src/errors.ts'
import { type GmailAnswer, type GmailServer, refusal } from '../../support/gmail-server.ts'
import { attempt, message, never, NOW_MS } from '../scene.ts'
import { failureOf, gmail, opened, outcome } from './scene.ts'

const MAIL = Buffer.from('From: ada@example.org\r\nMessage-ID: <1@x>\r\nSubject: x\r\n\r\nhello\r\n')
const letter = () => message(MAIL)
const large = () => message(Buffer.concat([MAIL, Buffer.alloc(6_000_000, 'A line of text, again.\r\n')]))

/** One answer after another to imports and uploads; then as a healthy server. */
function happening(server: GmailServer, answers: readonly GmailAnswer[]): void {
  const left = [...answers]
  const next = (): GmailAnswer => left.shift() ?? null
  Object.assign(server.faults, { import: next, put: next })
}

const BROKEN: GmailAnswer = { status: 503, json: {} }
const LATER: GmailAnswer = { status: 429, json: {}, headers: { 'retry-after': '3600' } }
const FORBIDDEN = refusal(403, 'insufficientPermissions', 'Insufficient Permission')
const REVOKED = refusal(401, 'authError', 'Invalid Credentials')

describe('a message that a broken server may have stored', () => {
  test.each<[string, readonly GmailAnswer[], string]>([
    ['"not now"', [BROKEN, LATER], 'BUSY unknown destination 75'],
    ['that the scope is not enough', [BROKEN, FORBIDDEN], 'SIGN unknown destination 77'],
    ['that the token is refused', [BROKEN, REVOKED, REVOKED], 'SIGN unknown destination 77'],
    [
      'that a label is wrong',
      [BROKEN, ...Array<GmailAnswer>(2).fill(refusal(400, 'x', 'Invalid label'))],
      'ACT unknown destination 73',
    ],
    // Gmail read it, and does not want it.
    ['a refusal', [BROKEN, refusal(400, 'invalidArgument', 'no')], 'BAD refused message 75'],
    ['that it is too large', [BROKEN, { status: 413, body: '' }], 'FORM refused message 75'],
  ])('stays in doubt when what comes next is %s', async (_, answers, expected) => {
    const server = await gmail()
    happening(server, answers)
    const before = expected.includes('refused') ? 'it stays on the server' : 'it may be there'
    const error = await failureOf(opened(server).deliver(attempt(), letter(), never))
    expect(`${error.conclusion} ${error.verdict} ${error.scope} ${error.exit}`).toBe(expected)
    expect(error.message).toContain(before)
  })

  test('is in no doubt when nothing of it was ever handed over', async () => {
    const server = await gmail()
    happening(server, [{ status: 429, json: {} }, LATER])
    expect(await outcome(opened(server).deliver(attempt(), letter(), never))).toBe('BUSY temporary destination 75')
  })
})

describe('a large message whose end was sent, and not answered', () => {
  test.each<[string, readonly GmailAnswer[], string]>([
    ['the token is refused', [null, 'lost', REVOKED, REVOKED], 'SIGN unknown destination 77'],
    ['it says "not now"', [null, 'lost', LATER], 'BUSY unknown destination 75'],
    ['the scope is not enough', [null, 'lost', FORBIDDEN], 'SIGN unknown destination 77'],
    [
      'it waits for the rest of it',
      [null, 'drop', { status: 308, body: '', headers: { range: 'bytes=0-99' } }, LATER],
      'BUSY temporary destination 75',
    ],
  ])('is in doubt or not when it is asked what came, and %s', async (_, answers, expected) => {
    const server = await gmail()
    happening(server, answers)
    expect(await outcome(opened(server).deliver(attempt(), large(), never))).toBe(expected)
  })

  test('is in doubt when no token is to be had for that question', async () => {
    const server = await gmail()
    server.tokens.add('first')
    happening(server, [null, 'lost'])
    server.onBody = () => {
      if (server.messages.length > 0) server.tokens.delete('first')
    }
    const away = new PopfetchError('ERR_PROVIDER', 'the provider is away', { scope: 'destination', retry: 'soon' })
    const secret = (refused?: string) => (refused === undefined ? Promise.resolve('first') : Promise.reject(away))
    const error = await failureOf(opened(server, { secret }).deliver(attempt(), large(), never))
    expect([error.verdict, server.messages.length]).toEqual(['unknown', 1])
  })
})

describe('an answer that a proxy compressed although nobody asked for it', () => {
  const zipped = (json: object, status = 200): GmailAnswer => ({
    status,
    body: gzipSync(JSON.stringify(json)),
    headers: { 'content-type': 'application/json', 'content-encoding': 'gzip' },
  })

  test('is read', async () => {
    const server = await gmail()
    server.faults.import = zipped({ id: 'm1', threadId: 't1' })
    expect((await opened(server).deliver(attempt(), letter(), never)).text).toContain('message m1, thread t1')
    server.faults.import = zipped(
      { error: { message: 'Daily limit', errors: [{ reason: 'dailyLimitExceeded' }] } },
      403,
    )
    expect(await outcome(opened(server, {}, { pauses: 0 }).deliver(attempt(), letter(), never))).toBe(
      'BUSY temporary destination 75',
    )
  })

  test.each<[string, Buffer, string]>([
    ['is none', Buffer.from('{"id":"m1"}'), 'LOST unknown destination 76'],
    ['was cut', gzipSync('{"id":"m1"}').subarray(0, 20), 'LOST unknown destination 76'],
    ['would be a hundred megabytes', gzipSync(Buffer.alloc(100_000_000)), 'LOST unknown destination 76'],
  ])('and %s is no delivery', async (name, body, expected) => {
    const server = await gmail()
    const type = name === 'is none' ? 'text/html' : 'application/json'
    const headers = { 'content-type': type, 'content-encoding': 'gzip' }
    server.faults.import = { status: 200, body, headers }
    expect(await outcome(opened(server).deliver(attempt(), letter(), never))).toBe(expected)
    server.faults.import = { status: 502, body, headers }
    expect(await outcome(opened(server, {}, { pauses: 0 }).deliver(attempt(), letter(), never))).toBe(
      'BUSY unknown destination 75',
    )
  })
})

test.each<[string, number]>([
  ['120', 120_000],
  ['0', 0],
  ['-5', 0],
  ['1.5', 0],
  ['9999999999', 9_999_999_999_000],
  ['99999999999999999999999', 0],
  [new Date(NOW_MS + 7_200_000).toUTCString(), 7_200_000],
  [new Date(NOW_MS - 7_200_000).toUTCString(), 0],
  ['Fri, 31 Dec 9999 23:59:59 GMT', Date.UTC(9999, 11, 31, 23, 59, 59) - NOW_MS],
  ['tomorrow', 0],
  ['2027', 2_027_000],
  ['12/31/2099', 0],
  ['May 2099', 0],
  ['', 0],
])('Retry-After: %s is a pause of %i ms', async (value, pauseMs) => {
  const server = await gmail()
  server.faults.import = { status: 429, json: {}, headers: { 'retry-after': value } }
  const error = await failureOf(opened(server, {}, { pauses: 0 }).deliver(attempt(), letter(), never))
  expect([error.conclusion, error.pauseMs]).toEqual(['BUSY', pauseMs])
})

describe('a label that two processes make at once', () => {
  /** Another process makes it while ours asks for it. */
  const quicker = (server: GmailServer, name: string) => (): GmailAnswer => {
    if (!server.labels.has(name)) server.labels.set(name, 'Label_other')
    return null
  }

  test('is one label, found again', async () => {
    const server = await gmail()
    server.faults.make = quicker(server, 'Both')
    const to = opened(server, { labels: ['Both'] })
    await to.ready(never)
    await to.deliver(attempt(), letter(), never)
    expect(server.messages[0]?.labelIds).toEqual(['Label_other'])
  })

  test('that Gmail says is there, and does not list, is a matter for somebody (73), of that label alone', async () => {
    const server = await gmail()
    server.faults.make = refusal(409, 'aborted', 'Label name exists or conflicts')
    const to = opened(server, { labels: ['Ghost'] })
    expect(await failureOf(to.ready(never))).toMatchObject({ conclusion: 'ACT', exit: 73, ofFolder: true })
    expect(server.asked.filter((line) => line.includes('/messages/'))).toEqual([])
  })

  test('does not lose its id when what is known is forgotten meanwhile', async () => {
    const server = await gmail()
    const names = Array.from({ length: 12 }, (_, at) => `Label ${at}`)
    const all = names.map((name) => opened(server, { labels: [name] }))
    await Promise.all(all.flatMap((to) => [to.ready(never), to.deliver(attempt(), letter(), never), to.ready(never)]))
    expect(
      server.messages
        .map(({ labelIds }) => labelIds)
        .flat()
        .toSorted(),
    ).toEqual(names.map((name) => server.labels.get(name) ?? '').toSorted())
  })
})
