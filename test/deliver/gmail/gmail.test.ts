// The gmail destination against a fake Gmail: what is stored, and what each answer means for the mail.
import { describe, expect, onTestFinished, test } from 'vitest'
import { DeliveryError } from '../../../src/errors.ts'
import { type GmailAnswer, type GmailServer, refusal } from '../../support/gmail-server.ts'
import { attempt, message, never } from '../scene.ts'
import { failureOf, gmail, opened, outcome } from './scene.ts'

const MAIL = Buffer.from(
  'From: ada@example.org\r\nMessage-ID: <1@x>\r\nDate: Tue, 24 Nov 2026 12:00:00 +0000\r\nSubject: x\r\n\r\nhello\0\r\n',
)
const letter = () => message(MAIL)

describe('a message', () => {
  test('is stored with its bytes, the fields on top, its labels and its date, and its ids are the receipt', async () => {
    const server = await gmail()
    const to = opened(server, { labels: ['INBOX', 'Work/old-isp'] }, {}, 'Received: x\r\n')
    await to.ready(never)
    const receipt = await to.deliver(attempt(), letter(), never)
    expect(receipt.text).toMatch(/^gmail anna@gmail\.com: message m\d+, thread t\d+$/)
    const [stored] = server.messages
    expect(stored?.bytes.toString()).toBe(`Received: x\r\n${MAIL.toString()}`)
    expect(stored?.labelIds).toEqual(['INBOX', server.labels.get('Work/old-isp')])
    expect(stored?.query).toMatchObject({
      uploadType: 'multipart',
      internalDateSource: 'dateHeader',
      neverMarkSpam: 'false',
    })
    expect(server.units).toBe(1 + 5 + 25)
  })

  test('is dated now and never marked as spam where that is configured', async () => {
    const server = await gmail()
    await opened(server, { date: 'now', spam: 'never' }).deliver(attempt(), letter(), never)
    expect(server.messages[0]?.query).toMatchObject({ internalDateSource: 'receivedTime', neverMarkSpam: 'true' })
  })

  test('is an event in the calendar only while it is new', async () => {
    const server = await gmail()
    const to = opened(server)
    const at = (date: string) => message(Buffer.from(`Received: from a by b; ${date}\r\nMessage-ID: <x>\r\n\r\nx\r\n`))
    const today = new Date((await import('../scene.ts')).NOW_MS).toUTCString().replace('GMT', '+0000')
    await to.deliver(attempt(), at('Tue, 24 Nov 2015 12:00:00 +0000'), never)
    await to.deliver(attempt(), at(today), never)
    expect(server.messages.map(({ query }) => query['processForCalendar'])).toEqual(['false', 'true'])
  })

  test('is handed over only when that is recorded, and not at all when it cannot be', async () => {
    const server = await gmail()
    const to = opened(server)
    const refused = new Error('the ledger is full')
    const handingOver = () => Promise.reject(refused)
    await expect(to.deliver({ ...attempt(), handingOver }, letter(), never)).rejects.toThrow('the ledger is full')
    expect(server.messages).toEqual([])
  })

  test('goes over one connection after another, as many at once as are configured', async () => {
    const server = await gmail()
    const to = opened(server, { concurrency: 2 })
    await to.ready(never)
    await Promise.all(Array.from({ length: 20 }, () => to.deliver(attempt(), letter(), never)))
    expect(server.messages).toHaveLength(20)
    expect(server.connections).toBeLessThanOrEqual(2)
  })
})

describe('a large message', () => {
  const large = () => message(Buffer.concat([MAIL, Buffer.alloc(6_000_000, 'A line of text, again.\r\n')]))

  test('goes up in a session of its own', async () => {
    const server = await gmail()
    await opened(server).deliver(attempt(), large(), never)
    expect(server.messages[0]?.bytes.length).toBe(large().sizeBytes)
    expect(server.messages[0]?.query['uploadType']).toBe('resumable')
  })

  test.each(['half', 'lost', 'drop'] as const)('that is cut (%s) is resumed, and stored once', async (how) => {
    const server = await gmail()
    server.faults.put = how === 'half' ? how : once(server.faults, 'put', how)
    const receipt = await opened(server).deliver(attempt(), large(), never)
    expect(receipt.text).toMatch(/message m\d+/)
    expect(
      server.messages.map(({ bytes }) => bytes.equals(large().body.kind === 'memory' ? bodyOf(large()) : bytes)),
    ).toEqual([true])
  })

  /** What happens to the first, second … request of the upload, the first of which opens it; then as a healthy server. */
  const happening = (server: GmailServer, answers: readonly GmailAnswer[]): void => {
    const left = [...answers]
    const next = (): GmailAnswer => left.shift() ?? null
    Object.assign(server.faults, { import: next, put: next })
  }
  const gone = refusal(404, 'notFound', 'Session not found')
  const busy: GmailAnswer = { status: 503, json: {} }

  test.each<[string, readonly GmailAnswer[]]>([
    ['all of it came, and the answer did not', [null, 'lost']],
    ['the first of it was cut', [null, 'drop']],
    ['"not now" to the message', [null, busy]],
    ['"not now" to the message, and to the question what came', [null, busy, busy]],
    ['the question what came was cut', [null, 'drop', 'drop']],
    ['three cuts one after another', [null, 'drop', 'drop', 'drop']],
    ['what came is told without a range', [null, 'drop', { status: 308, body: '' }]],
    ['what came is told with an odd range', [null, 'drop', { status: 308, body: '', headers: { range: 'bytes=7-9' } }]],
  ])('is stored once where %s', async (_, answers) => {
    const server = await gmail()
    happening(server, answers)
    await opened(server).deliver(attempt(), large(), never)
    expect(server.messages.map(({ bytes }) => bytes.equals(bodyOf(large())))).toEqual([true])
  })

  test.each<[string, readonly GmailAnswer[], string]>([
    ['the upload cannot be opened', ['drop'], 'CUT temporary message 75'],
    ['it is opened, and the answer is lost', ['lost'], 'CUT temporary message 75'],
    ['opening it is refused', [refusal(400, 'invalidArgument', 'no')], 'BAD refused message 75'],
    [
      'opening it says "not now"',
      [{ status: 429, json: {}, headers: { 'retry-after': '3600' } }],
      'BUSY temporary destination 75',
    ],
    ['the upload is forgotten when all of it went', [null, 'lost', gone], 'LOST unknown message 75'],
    ['it is gone', [null, 'lost', { status: 410, json: {} }], 'LOST unknown message 75'],
    ['the message is refused', [null, refusal(400, 'invalidArgument', 'no')], 'BAD refused message 75'],
    [
      'more has come than there is',
      [null, 'drop', { status: 308, body: '', headers: { range: 'bytes=0-99999999' } }],
      'LOST unknown destination 76',
    ],
    ['its end is HTML', [null, { status: 200, body: '<html>' }], 'LOST unknown destination 76'],
    [
      'it is sent elsewhere',
      [null, { status: 302, body: '', headers: { location: 'https://evil.example/' } }],
      'LOST unknown destination 76',
    ],
  ])('is told for what it is where %s', async (_, answers, expected) => {
    const server = await gmail()
    happening(server, answers)
    expect(await outcome(opened(server, {}, { pauses: 0 }).deliver(attempt(), large(), never))).toBe(expected)
    expect(server.asked.every((line) => line.includes('/upload/'))).toBe(true)
  })

  test('is not there by half: where the upload is forgotten in the middle, it was certainly not stored', async () => {
    const server = await gmail()
    let bodies = 0
    server.faults.put = 'half'
    // The first opens the upload, the second is cut, the third asks what came.
    server.onBody = () => {
      if (++bodies === 3) server.faults.put = gone
    }
    expect(await outcome(opened(server).deliver(attempt(), large(), never))).toBe('CUT temporary message 75')
    expect(server.messages).toEqual([])
  })

  test('whose token is refused in the middle goes on with a new one, once', async () => {
    const server = await gmail()
    server.tokens.add('first')
    const asked: (string | undefined)[] = []
    const secret = (old?: string): Promise<string> => {
      asked.push(old)
      return Promise.resolve(old === undefined ? 'first' : 'good')
    }
    server.faults.put = () => {
      server.tokens.delete('first')
      return null
    }
    await opened(server, { secret }).deliver(attempt(), large(), never)
    expect(asked).toEqual([undefined, 'first'])
    expect(server.messages).toHaveLength(1)
  })

  test('is resumed only so often; then it may be there', async () => {
    const server = await gmail()
    server.faults.put = 'drop'
    expect(await outcome(opened(server).deliver(attempt(), large(), never))).toBe('LOST unknown message 75')
  })

  test('goes to no other server than the one that was asked', async () => {
    const server = await gmail()
    server.faults.import = { status: 200, body: '', headers: { location: 'https://evil.example/upload' } }
    const error = await failureOf(opened(server).deliver(attempt(), large(), never))
    expect([error.conclusion, error.exit]).toEqual(['TLS', 76])
  })

  test('over what Gmail takes is refused without a word to it', async () => {
    const server = await gmail()
    const huge = { ...letter(), sizeBytes: 151 * 1024 * 1024 }
    expect(await outcome(opened(server).deliver(attempt(), huge, never))).toBe('FORM refused message 75')
    expect(server.asked).toEqual([])
  })
})

/** `answer` once, then as a healthy server. */
function once<Faults extends object>(faults: Faults, stage: keyof Faults, answer: GmailAnswer) {
  return (): GmailAnswer => {
    Object.assign(faults, { [stage]: null })
    return answer
  }
}

function bodyOf({ body }: ReturnType<typeof message>): Buffer {
  return body.kind === 'memory' ? body.bytes : Buffer.alloc(0)
}

describe('labels', () => {
  test('are looked up once, made when missing, and found in any case', async () => {
    const server = await gmail()
    server.labels.set('Archive', 'Label_a')
    const to = opened(server, { labels: ['archive', 'New'] })
    await to.ready(never)
    for (let count = 0; count < 3; count++) await to.deliver(attempt(), letter(), never)
    expect(server.asked.filter((line) => line.endsWith('/labels'))).toHaveLength(2)
    expect(server.messages[0]?.labelIds).toEqual(['Label_a', server.labels.get('New')])
  })

  test('that were renamed or deleted are found or made again', async () => {
    const server = await gmail()
    const to = opened(server, { labels: ['Work'] })
    await to.ready(never)
    server.labels.delete('Work')
    await to.deliver(attempt(), letter(), never)
    expect(server.messages[0]?.labelIds).toEqual([server.labels.get('Work')])
  })

  test('are one cache for all destinations of a user, and made once', async () => {
    const server = await gmail()
    const [one, other] = [opened(server, { labels: ['Both'] }), opened(server, { labels: ['Both'] })]
    await Promise.all([one.ready(never), other.ready(never)])
    await Promise.all([one, other].map((to) => to.deliver(attempt(), letter(), never)))
    expect(server.asked.filter((line) => line.startsWith('POST /gmail/'))).toHaveLength(1)
  })

  test('that cannot be made are a matter for somebody', async () => {
    const server = await gmail()
    server.faults.make = refusal(400, 'invalidArgument', 'Invalid label name')
    expect(await outcome(opened(server, { labels: ['Bad'] }).ready(never))).toBe('ACT temporary destination 73')
  })
})

describe('an answer', () => {
  const disabled = refusal(
    403,
    'accessNotConfigured',
    'Gmail API has not been used in project 1 before or it is disabled.',
    {
      status: 'PERMISSION_DENIED',
      details: [{ links: [{ description: 'on', url: 'https://console.developers.google.com/apis/api/gmail' }] }],
    },
  )
  test.each<[string, GmailAnswer, string]>([
    ['no token', refusal(401, 'authError'), 'SIGN temporary destination 77'],
    [
      'another scope',
      refusal(403, 'insufficientPermissions', 'Insufficient Permission'),
      'SIGN temporary destination 77',
    ],
    ['too fast', refusal(403, 'rateLimitExceeded'), 'BUSY temporary destination 75'],
    ['too fast for the user', refusal(403, 'userRateLimitExceeded'), 'BUSY temporary destination 75'],
    ['no more today', refusal(403, 'dailyLimitExceeded'), 'BUSY temporary destination 75'],
    [
      'too many',
      refusal(429, 'rateLimitExceeded', 'Too many concurrent requests for user'),
      'BUSY temporary destination 75',
    ],
    ['broken', { status: 500, body: '<html>sorry' }, 'BUSY unknown destination 75'],
    ['away', { status: 503, json: {} }, 'BUSY unknown destination 75'],
    ['not set up', disabled, 'ACT temporary destination 73'],
    ['another domain', refusal(403, 'domainPolicy'), 'ACT temporary destination 73'],
    ['not now', refusal(400, 'failedPrecondition', 'Mail service not enabled'), 'ACT temporary destination 73'],
    ['nobody', refusal(404, 'notFound', 'Requested entity was not found.'), 'ACT temporary destination 73'],
    ['forbidden', refusal(403, 'forbidden', 'Delegation denied'), 'ACT temporary destination 73'],
    ['too large', { status: 413, body: 'too large' }, 'FORM refused message 75'],
    ['refused', refusal(400, 'invalidArgument', 'Invalid attachment.'), 'BAD refused message 75'],
    [
      'elsewhere',
      { status: 302, body: '', headers: { location: 'https://x.example' } },
      'TLS temporary destination 76',
    ],
    ['a login page', { status: 200, body: '<html>Log in to the network' }, 'LOST unknown destination 76'],
    ['half an answer', { status: 200, json: {} }, 'LOST unknown destination 76'],
    ['an odd id', { status: 200, json: { id: 'x'.repeat(500) } }, 'LOST unknown destination 76'],
    ['lost', 'lost', 'LOST unknown message 75'],
    ['teapot', refusal(418, 'teapot'), 'TEMP temporary message 75'],
  ])('%s', async (_, answer, expected) => {
    const server = await gmail()
    const to = opened(server, {}, { pauses: 1 })
    await to.ready(never)
    server.faults.import = answer
    const error = await failureOf(to.deliver(attempt(), letter(), never))
    expect(`${error.conclusion} ${error.verdict} ${error.scope} ${error.exit}`).toBe(expected)
    expect(error.message).toMatch(/^gmail anna@gmail\.com: [ -~\u2019\u2026]*$/)
    // What is the destination's refuses the next one without asking.
    const before = server.asked.length
    const next = await failureOf(to.deliver(attempt(), letter(), never))
    expect(server.asked.length === before).toBe(error.scope === 'destination')
    if (error.scope === 'destination') expect(next.verdict).toBe('temporary')
    server.faults.import = null
    await to.ready(never)
    await to.deliver(attempt(), letter(), never)
  })

  test('says where to switch the API on, by a page of Google alone', async () => {
    const server = await gmail()
    server.faults.list = disabled
    const error = await failureOf(opened(server).ready(never))
    expect(error.message).toContain('see https://console.developers.google.com/apis/api/gmail')
    server.faults.list = refusal(403, 'forbidden', 'go to https://evil.example/google.com')
    expect((await failureOf(opened(server).ready(never))).message).not.toContain('; see')
  })

  test('"not now" is waited out for a moment, once or so', async () => {
    const server = await gmail()
    let left = 3
    server.faults.import = () => (left-- > 0 ? refusal(429, 'rateLimitExceeded') : null)
    await opened(server).deliver(attempt(), letter(), never)
    expect(server.asked).toHaveLength(4)
    expect(server.messages).toHaveLength(1)
  })

  test('that names a long pause is obeyed by the poll', async () => {
    const server = await gmail()
    server.faults.import = { status: 429, json: {}, headers: { 'retry-after': '3600' } }
    expect((await failureOf(opened(server).deliver(attempt(), letter(), never))).pauseMs).toBe(3_600_000)
    const { NOW_MS } = await import('../scene.ts')
    const until = new Date(NOW_MS + 7_200_000).toISOString()
    server.faults.import = refusal(429, 'rateLimitExceeded', `User-rate limit exceeded.  Retry after ${until}`)
    expect((await failureOf(opened(server).deliver(attempt(), letter(), never))).pauseMs).toBe(7_200_000)
  })

  test('of a broken server is not asked for again with a message that Gmail could not merge', async () => {
    const server = await gmail()
    server.faults.import = { status: 503, json: {} }
    const without = message(Buffer.from('From: a@b.example\r\n\r\nx\r\n'))
    expect(await outcome(opened(server).deliver(attempt(), without, never))).toBe('BUSY unknown destination 75')
    expect(server.asked).toHaveLength(1)
  })
})

describe('a token', () => {
  test('that is refused is renewed once', async () => {
    const server = await gmail()
    const refused: (string | undefined)[] = []
    const secret = (old?: string): Promise<string> => {
      refused.push(old)
      return Promise.resolve(old === undefined ? 'stale-token' : 'good')
    }
    await opened(server, { secret }).deliver(attempt(), letter(), never)
    expect(refused).toEqual([undefined, 'stale-token'])
    expect(server.messages).toHaveLength(1)
  })

  test('that stays the same is a sign-in that is refused, asked for twice and no more', async () => {
    const server = await gmail()
    let asked = 0
    const secret = (): Promise<string> => Promise.resolve(`stale-${asked++ > 99}`)
    expect(await outcome(opened(server, { secret }).ready(never))).toBe('SIGN temporary destination 77')
    expect(server.asked).toHaveLength(1)
    expect(asked).toBe(2)
  })

  test.each(['', 'a b', 'a\r\nX-Evil: 1', '\u00e9'])('of %j is never sent', async (token) => {
    const server = await gmail()
    const error = await failureOf(opened(server, { secret: () => Promise.resolve(token) }).ready(never))
    expect([error.conclusion, error.exit]).toEqual(['SIGN', 78])
    expect(server.asked).toEqual([])
  })

  test('never shows, whatever the server repeats', async () => {
    const server = await gmail()
    server.tokens.add('ya29.hunter2hunter2')
    server.faults.import = refusal(400, 'invalidArgument', 'you said ya29.hunter2hunter2')
    const to = opened(server, { secret: () => Promise.resolve('ya29.hunter2hunter2') })
    const error = await failureOf(to.deliver(attempt(), letter(), never))
    expect(error.message).not.toContain('hunter2')
  })
})

describe('hostile answers', () => {
  test.each<[string, GmailAnswer]>([
    ['10 MB', { status: 200, body: 'x'.repeat(10_000_000), headers: { 'content-type': 'application/json' } }],
    ['HTML', { status: 200, body: '<html>' }],
    ['deep', { status: 200, body: '['.repeat(1_000_000), headers: { 'content-type': 'application/json' } }],
    [
      'deep and complete',
      { status: 200, body: '['.repeat(500_000) + ']'.repeat(500_000), headers: { 'content-type': 'application/json' } },
    ],
    ['no object', { status: 200, json: null }],
    ['other kinds', { status: 200, json: { id: { toString: 'x' }, labels: [1, null, { id: 2, name: [] }] } }],
    [
      'escapes',
      { status: 400, json: { error: { message: '\u001b[31m\r\n\u202e'.repeat(1000), errors: [{ reason: {} }] } } },
    ],
  ])('%s: are one line, and nothing is delivered', async (name, answer) => {
    const server = await gmail()
    const to = opened(server)
    server.faults.import = answer
    const error = await failureOf(to.deliver(attempt(), letter(), never))
    expect(error.verdict).toBe(name === 'escapes' ? 'refused' : 'unknown')
    expect(error.message).toMatch(/^[^\p{Cc}\p{Cf}\n]{1,1500}$/u)
    server.faults.list = answer
    if (name !== 'other kinds')
      expect(await failureOf(opened(server, { labels: ['X'] }).ready(never))).toBeInstanceOf(DeliveryError)
  })
})

test('a server that is not there is down, and one that does not answer, too', async () => {
  const gone = opened({ endpoint: 'http://127.0.0.1:9', user: 'anna@gmail.com' })
  expect(await outcome(gone.ready(never))).toBe('DOWN temporary destination 75')
  const server = await gmail()
  server.faults.list = 'stall'
  expect(await outcome(opened(server, {}, { silenceMs: 30 }).ready(never))).toBe('DOWN temporary destination 75')
  server.faults.import = 'stall'
  expect(await outcome(opened(server, {}, { silenceMs: 30 }).deliver(attempt(), letter(), never))).toBe(
    'LOST unknown message 75',
  )
})

test('being stopped says nothing of the destination', async () => {
  const server = await gmail()
  const stop = new AbortController()
  server.faults.import = () => {
    stop.abort(new Error('stopped'))
    return 'stall'
  }
  const error = await failureOf(opened(server).deliver(attempt(), letter(), stop.signal))
  expect([error.conclusion, error.verdict, error.counts]).toEqual(['LOST', 'unknown', false])
})

test.each([
  ['Invalid attachment. Executables are not allowed', true],
  ["'From' header is missing or there are multiple From headers", true],
  ['no reason at all', false],
])('with wrap, what is refused as "%s" is stored as an attachment: %s', async (words, isWrapped) => {
  const server = await gmail()
  server.faults.import = once(server.faults, 'import', refusal(400, 'invalidArgument', words))
  const to = opened(server, { wrap: 'when-refused' })
  onTestFinished(() => to[Symbol.asyncDispose]())
  if (isWrapped) {
    expect((await to.deliver(attempt(), letter(), never)).text).toMatch(/^stored as an attachment: .*message m\d+/)
    expect(server.messages[0]?.bytes.toString()).toContain('message/rfc822')
  } else expect(await outcome(to.deliver(attempt(), letter(), never))).toBe('BAD refused message 75')
})
