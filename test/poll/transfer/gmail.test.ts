// Polls into a Gmail mailbox, through the real rooms, also beside other destinations. What does each answer lead to, what is
// downloaded, and what is asked of Gmail? Pauses that Gmail names are long here, so that none is waited out.
import { afterEach, beforeEach, describe, expect, onTestFinished, test, vi } from 'vitest'
import { openLedger } from '../../../src/ledger/sqlite/open.ts'
import { type GmailAnswer, GmailServer, refusal } from '../../support/gmail-server.ts'
import { letter, Scene, upTo } from '../scene.ts'

const MINUTE = 60_000
const HOUR = 60 * MINUTE

beforeEach(() => void vi.useFakeTimers({ toFake: ['Date'], now: new Date('2026-11-29T12:00:00Z') }))
afterEach(() => void vi.useRealTimers())

const later = (ms: number): void => void vi.setSystemTime(Date.now() + ms)

async function gmail(count: number, keys = ''): Promise<{ readonly scene: Scene; readonly server: GmailServer }> {
  const server = await GmailServer.start()
  const scene = await Scene.create()
  onTestFinished(async () => {
    await scene[Symbol.asyncDispose]()
    await server[Symbol.asyncDispose]()
  })
  scene.destinations = [
    `google: { type: gmail, user: anna@gmail.com, token: good, endpoint: "${server.endpoint}"${keys} }`,
    'inbox: { type: maildir, path: inbox }',
  ]
  scene.deliver = 'google'
  scene.fill(count)
  return { scene, server }
}

/** As cron polls: nobody asks. */
const poll = (scene: Scene) => scene.poll({ eager: false })

function subjects({ messages }: GmailServer): readonly number[] {
  const numbers = messages.map(({ bytes }) => Number(/^Subject: letter (\d+)\r$/m.exec(bytes.toString('latin1'))?.[1]))
  return numbers.toSorted((a, b) => a - b)
}

/** For the messages of these numbers alone. */
function forLetters(numbers: readonly number[], answer: () => GmailAnswer) {
  return ({ bytes }: { readonly bytes: Buffer }): GmailAnswer => {
    const number = Number(/^Subject: letter (\d+)\r$/m.exec(bytes.toString('latin1'))?.[1])
    return numbers.includes(number) ? answer() : null
  }
}

const notNow: GmailAnswer = {
  status: 429,
  json: { error: { code: 429, message: 'Too fast', errors: [{ reason: 'rateLimitExceeded' }] } },
  headers: { 'retry-after': '3600' },
}

describe('mail into Gmail', () => {
  test('comes once, with its bytes, and the ledger has its ids; then it leaves the server', async () => {
    const { scene, server } = await gmail(40)
    scene.account = ['delete: after-delivery']
    expect(await poll(scene)).toMatchObject({ outcome: 'ok', delivered: 40, deleted: 40 })
    expect(subjects(server)).toEqual(upTo(40))
    const bodies = upTo(40).map((at) => letter(at))
    // The trace field on top, and below it each as it was.
    const isWhole = (bytes: Buffer): boolean => bodies.some((body) => bytes.toString('latin1').endsWith(`\r\n${body}`))
    expect(server.messages.filter(({ bytes }) => isWhole(bytes))).toHaveLength(40)
    await using ledger = await openLedger(scene.path('state/state.db'))
    const [record] = await ledger.records.find(scene.name, 'uid-7')
    expect(record?.deliveries[0]?.receipt).toMatch(/^gmail anna@gmail\.com: message m\d+, thread t\d+$/)
    expect(await poll(scene)).toMatchObject({ outcome: 'ok', delivered: 0 })
  })

  test('beside a Maildir waits by itself where Gmail says "not now"', async () => {
    const { scene, server } = await gmail(6)
    scene.deliver = '[inbox, google]'
    scene.account = ['delete: after-delivery']
    server.faults.import = forLetters([2, 3], () => notNow)
    const report = await poll(scene)
    expect(report).toMatchObject({ outcome: 'partial', error: { code: 'ERR_DELIVERY', exit: 75 } })
    expect(scene.subjects()).toEqual(upTo(6))
    server.faults.import = null
    later(HOUR + MINUTE)
    expect(await poll(scene)).toMatchObject({ outcome: 'ok', deferred: 0 })
    expect([scene.subjects(), subjects(server), scene.left()]).toEqual([upTo(6), upTo(6), []])
  })

  test.each<[string, GmailAnswer]>([
    ['refuses', refusal(400, 'invalidArgument', 'Invalid attachment.')],
    ['finds too large', { status: 413, body: 'too large' }],
  ])('as the first of several: what it %s goes on at once, all else stays', async (_, answer) => {
    const { scene, server } = await gmail(6)
    scene.deliver = '{ first-of: [google, inbox] }'
    server.faults.import = forLetters([1, 4], () => answer)
    expect(await poll(scene)).toMatchObject({ outcome: 'ok', delivered: 6, refused: 0 })
    expect([subjects(server), scene.subjects()]).toEqual([
      [0, 2, 3, 5],
      [1, 4],
    ])
  })

  test('as the first of several keeps what only waits, for a day', async () => {
    const { scene, server } = await gmail(3)
    scene.deliver = '{ first-of: [google, inbox] }'
    server.faults.import = notNow
    await poll(scene)
    later(5 * HOUR)
    await poll(scene)
    expect([subjects(server), scene.subjects()]).toEqual([[], []])
    for (let hours = 0; hours < 30; hours += 5) {
      later(5 * HOUR)
      await poll(scene)
    }
    expect([subjects(server), scene.subjects()]).toEqual([[], upTo(3)])
  })

  test('of which an answer was lost never goes on to the next, and comes at most once more, which is told', async () => {
    const { scene, server } = await gmail(1)
    scene.deliver = '{ first-of: [google, inbox] }'
    server.faults.import = 'lost'
    await poll(scene)
    server.faults.import = null
    later(25 * HOUR)
    const report = await poll(scene)
    expect(report).toMatchObject({ delivered: 1, possibleDuplicates: 1 })
    expect([subjects(server), scene.subjects()]).toEqual([[0, 0], []])
  })

  test('of which the answer is lost three times is held, and told', async () => {
    const { scene, server } = await gmail(1)
    server.faults.import = 'lost'
    for (let polls = 0; polls < 5; polls++) {
      await poll(scene)
      later(5 * HOUR)
    }
    expect(subjects(server)).toEqual([0, 0, 0])
    await using ledger = await openLedger(scene.path('state/state.db'))
    expect((await ledger.records.unsettled()).get(scene.name)).toMatchObject({ held: 1 })
  })
})

describe('an answer', () => {
  /** What a poll of three messages makes of it, and what the next one, five minutes later, asks of the mailbox and of Gmail. */
  test.each<[string, 'list' | 'import', GmailAnswer, object, 'rests' | 'looks' | 'goes on']>([
    ['401', 'list', refusal(401, 'authError'), { outcome: 'failed', deferred: 3, error: { exit: 77 } }, 'looks'],
    [
      '401 to a message',
      'import',
      refusal(401, 'authError'),
      { outcome: 'failed', deferred: 3, error: { exit: 77 } },
      'looks',
    ],
    [
      '403 of scopes',
      'list',
      refusal(403, 'insufficientPermissions'),
      { outcome: 'failed', error: { exit: 77 } },
      'looks',
    ],
    ['429 with a pause', 'import', notNow, { outcome: 'failed', deferred: 3, error: { exit: 75 } }, 'rests'],
    ['429 to the look', 'list', notNow, { outcome: 'failed', deferred: 3, error: { exit: 75 } }, 'rests'],
    [
      'the API not switched on',
      'list',
      refusal(403, 'accessNotConfigured', 'Gmail API has not been used in project 1'),
      { outcome: 'failed', deferred: 3, error: { exit: 73 } },
      'looks',
    ],
    [
      'no such mailbox',
      'list',
      refusal(404, 'notFound'),
      { outcome: 'failed', deferred: 3, error: { exit: 73 } },
      'looks',
    ],
    [
      'HTML of somebody else',
      'list',
      { status: 200, body: '<html>' },
      { outcome: 'failed', error: { exit: 76 } },
      'looks',
    ],
    ['a cut', 'list', 'drop', { outcome: 'failed', deferred: 3, error: { exit: 75 } }, 'looks'],
    ['413', 'import', { status: 413, body: '' }, { outcome: 'partial', refused: 3, deferred: 0 }, 'goes on'],
    [
      '400',
      'import',
      refusal(400, 'invalidArgument', 'no'),
      { outcome: 'partial', refused: 3, deferred: 0 },
      'goes on',
    ],
    ['418', 'import', refusal(418, 'teapot'), { deferred: 3, refused: 0 }, 'rests'],
  ])('of %s to %s: the poll, and the next one', async (_, stage, answer, expected, next) => {
    const { scene, server } = await gmail(3)
    server.faults[stage] = answer
    expect(await poll(scene)).toMatchObject({ delivered: 0, ...expected })
    const [retrieved, asked] = [scene.count('RETR'), server.asked.length]
    later(5 * MINUTE)
    scene.fill(1, 3)
    await poll(scene)
    const isAsked = server.asked.length > asked
    expect([next, isAsked]).toEqual([next, next !== 'rests'])
    // Nothing is downloaded again for a destination that takes nothing; new mail goes on where only messages were refused.
    expect(scene.count('RETR') - retrieved).toBeLessThanOrEqual(next === 'rests' ? 0 : 1)
    server.faults[stage] = null
    later(26 * HOUR)
    for (let polls = 0; polls < 3; polls++) await poll(scene)
    expect(subjects(server)).toEqual(upTo(4))
  })

  test('of a limit holds up no other destination, and one for all accounts and names of the user', async () => {
    const { scene, server } = await gmail(4)
    const again = scene.destinations[0]?.replace('google:', 'again:').replace('good', 'good, labels: [Work]') ?? ''
    scene.destinations = [...scene.destinations, again]
    scene.deliver = '[google, again, inbox]'
    server.faults.import = notNow
    expect(await poll(scene)).toMatchObject({ delivered: 0, deferred: 4 })
    expect(scene.subjects()).toEqual(upTo(4))
    const asked = server.asked.length
    later(30 * MINUTE)
    await poll(scene)
    expect(server.asked.length).toBe(asked)
    server.faults.import = null
    later(HOUR)
    expect(await poll(scene)).toMatchObject({ outcome: 'ok', delivered: 4 })
    expect(subjects(server)).toEqual(upTo(4).flatMap((at) => [at, at]))
  })
})

describe('labels', () => {
  test('that were renamed or deleted between two polls, or in one, are found or made again', async () => {
    const { scene, server } = await gmail(2, ', labels: [INBOX, "Mail/{account}"]')
    await poll(scene)
    const id = server.labels.get('Mail/old-isp')
    expect(server.messages.map(({ labelIds }) => labelIds)).toEqual([
      ['INBOX', id],
      ['INBOX', id],
    ])
    server.labels.delete('Mail/old-isp')
    server.labels.set('Renamed', String(id))
    scene.fill(2, 2)
    await poll(scene)
    const made = server.labels.get('Mail/old-isp')
    expect(made).not.toBe(id)
    expect(server.messages.slice(2).map(({ labelIds }) => labelIds[1])).toEqual([made, made])
    // Deleted when the poll has already looked.
    server.faults.import = () => {
      server.faults.import = null
      server.labels.delete('Mail/old-isp')
      return null
    }
    scene.fill(2, 4)
    expect(await poll(scene)).toMatchObject({ outcome: 'ok', delivered: 2 })
    expect(subjects(server)).toEqual(upTo(6))
    expect(server.labels.has('Mail/old-isp')).toBe(true)
  })
})

test('with wrap, what Gmail refuses for its author comes as an attachment, and the rest as it is', async () => {
  const { scene, server } = await gmail(4, ', wrap: when-refused')
  const words = "'From' header is missing or there are multiple From headers"
  const isWrapped = (bytes: Buffer): boolean => bytes.includes('Content-Type: message/rfc822')
  const bare = forLetters([2], () => refusal(400, 'invalidArgument', words))
  // In the one that is refused the boundary's own part is no attachment yet.
  server.faults.import = (request) =>
    request.bytes.toString('latin1').split('message/rfc822').length > 2 ? null : bare(request)
  expect(await poll(scene)).toMatchObject({ outcome: 'ok', delivered: 4, refused: 0 })
  expect(subjects(server)).toHaveLength(4)
  expect(server.messages.filter(({ bytes }) => isWrapped(bytes))).toHaveLength(1)
})

test('keeps to the units that Google counts: thirty messages are thirty imports and one look', async () => {
  const { scene, server } = await gmail(30)
  await poll(scene)
  expect(server.units).toBe(30 * 25 + 1)
})
