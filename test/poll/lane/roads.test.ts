// Made-up worlds (worlds.ts), each played on both roads: by the lane and the short poll of a mailbox that is as it was, and by the usual
// road alone. What is told, delivered, remembered, deleted and left must be the same. By default a sample; POPFETCH_WORLDS=1000 plays as
// many, POPFETCH_WORLDS_FROM=17 begins with that seed. Half as many are played once more with a mail server instead of the Maildir.
import { isDeepStrictEqual } from 'node:util'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { fileSystems } from '../../../src/deliver/disk/filesystem.ts'
import { slices } from '../../../src/poll/lane/slices.ts'
import type { AccountReport } from '../../../src/poll/report.ts'
import { markless } from '../idle/markless.ts'
import { AnsweringServer } from '../../support/answering-server.ts'
import { Faults } from '../../support/faults.ts'
import { EXT4, FaultyFileSystems } from '../../support/faulty-filesystem.ts'
import { patiently } from '../patience.ts'
import { Scene } from '../scene.ts'
import { filesAt, plain, recordsOf } from './found.ts'
import { type Step } from './world-faults.ts'
import { type World, worldOf } from './worlds.ts'

const HOUR = 3_600_000
/** How long what waits for a mail server waits are minutes and hours, and a poll may take some seconds more on one road. */
const MORE_THAN_AN_HOUR = HOUR + 420_000
const BEGIN_MS = Date.parse('2026-11-29T12:00:00Z')
const COUNT = Number(process.env['POPFETCH_WORLDS'] ?? 20)
const FROM = Number(process.env['POPFETCH_WORLDS_FROM'] ?? 1)
/** In one test. */
const TOGETHER = 4

/** `apart`: the lane with another thread for the files, which is not asked to fail any call. */
type Road = 'lane' | 'usual' | 'apart'

beforeEach(() => void vi.useFakeTimers({ toFake: ['Date'] }))
afterEach(() => {
  vi.useRealTimers()
  vi.unstubAllEnvs()
  vi.restoreAllMocks()
})

/** Instead of a Maildir: where the mail of a world goes. */
interface Elsewhere {
  readonly what: string
  readonly protocol: 'smtp' | 'lmtp'
  readonly deliver: string
  readonly more?: string
}

const ELSEWHERE: readonly Elsewhere[] = [
  { what: 'SMTP', protocol: 'smtp', deliver: 'next' },
  { what: 'LMTP', protocol: 'lmtp', deliver: 'next' },
  { what: 'SMTP with wrap', protocol: 'smtp', deliver: 'next', more: ', wrap: when-refused' },
  { what: 'SMTP, else a Maildir', protocol: 'smtp', deliver: '{ first-of: [next, inbox] }' },
]

/** Every eleventh message is refused for good, and every thirteenth for its bytes: by what is in it, so that each road is answered the
 *  same. Where both roads offer the same in the first poll, every ninth is refused for now, and later all are taken. */
function answerFor(server: AnsweringServer, isExact: boolean): void {
  const answers = ['', '451 4.3.0 later', '554 5.7.1 no', '554 5.6.0 a line is too long']
  server.oddAt = (stage, _, message) => {
    const number = Number(/^Subject: letter (\d+)\r$/m.exec(message)?.[1] ?? 1)
    const at = isExact && number % 9 === 8 ? 1 : number % 11 === 10 ? 2 : number % 13 === 12 ? 3 : 0
    if (stage !== 'dot' || at === 0 || message.includes('multipart/mixed')) return null
    return { text: `${answers[at]}\r\n`, next: 'go on', isTaken: false, isDoubtful: false }
  }
}

/** How much came of what a session did not give out depends on when it ended. */
function told(report: AccountReport, sessions: number, server: AnsweringServer | null): unknown {
  const bytes = sessions === 1 ? report.bytes : null
  const text = JSON.stringify({ ...report, bytes, durationMs: null })
  return JSON.parse(plain(text.replaceAll(`:${server?.port}`, '')))
}

interface Polled {
  readonly report: unknown
  readonly sessions: number
  /** Asked for; null: it depends on when a session ended. */
  readonly retrieved: number | null
}

interface State {
  readonly files: readonly string[]
  readonly records: readonly object[]
  readonly left: readonly string[]
}

/** One poll earlier or later: it depends on what had come before something went wrong. */
function undated(state: State | undefined): unknown {
  const moments = { deletedMs: null, goneSinceMs: null, listedBytes: null }
  return { ...state, records: state?.records.map((record) => ({ ...record, ...moments })) }
}

interface Played {
  readonly polls: readonly Polled[]
  readonly states: readonly State[]
}

/** Do both roads offer the same messages in each poll? Elsewhere that depends on what had come when a session ended. */
function isExact(world: World): boolean {
  return world.steps.every(({ agreement }) => agreement === 'all')
}

async function stateOf(scene: Scene, server: AnsweringServer | null): Promise<State> {
  const found = await recordsOf(scene)
  const text = JSON.stringify(found).replaceAll(`:${server?.port}`, '')
  // The moment up to which something waits may be some seconds later on one road.
  const waiting = server === null ? {} : { retryAfterMs: null }
  const records = (JSON.parse(text) as object[]).map((record) => ({ ...record, ...waiting }))
  return { files: [...filesAt(scene), ...mailAt(server)], records, left: scene.left() }
}

/** What was wrapped has dates and random names of its own. */
function mailAt(server: AnsweringServer | null): readonly string[] {
  const texts = server?.messages.map((text) => text.replace(/^Received: from 127\.0\.0\.1[^]*?\+0000\r\n/, '')) ?? []
  return texts.map((text) => /^Subject: Message as an attachment.*/m.exec(text)?.[0] ?? text).toSorted()
}

async function polled(scene: Scene, step: Step, road: Road): Promise<AccountReport> {
  const { faults } = scene.server
  const files = new FaultyFileSystems(EXT4)
  const stop = new AbortController()
  if (road !== 'apart') {
    vi.spyOn(fileSystems, 'of').mockImplementation(() => files.of())
    // The first look at the free space is made by this one.
    vi.spyOn(fileSystems, 'offLoop', 'get').mockReturnValue(files.offLoop)
  }
  const { ledgerOf } = scene
  step.prepare({ scene, files, stop })
  const { ledgerOf: faulty } = scene
  if (faulty !== ledgerOf) scene.ledgerOf = (ledger) => faulty(ledgerOf(ledger))
  try {
    return await patiently(scene.server, () => scene.poll(step.options, stop.signal))
  } finally {
    vi.restoreAllMocks()
    scene.ledgerOf = ledgerOf
    const { lineEnding, pace, reply } = faults
    reply.clear()
    Object.assign(faults, new Faults(), { lineEnding, pace, reply })
  }
}

async function play(world: World, road: Road, elsewhere: Elsewhere | null = null): Promise<Played> {
  vi.stubEnv('POPFETCH_ROAD', road)
  vi.setSystemTime(BEGIN_MS)
  await using scene = await Scene.create()
  if (road === 'usual') scene.ledgerOf = markless
  world.begin(scene)
  await using server = elsewhere === null ? null : await AnsweringServer.start(elsewhere)
  if (elsewhere !== null && server !== null) {
    const { protocol, deliver, more = '' } = elsewhere
    const keys = `type: ${protocol}, host: 127.0.0.1, port: ${server.port}, tls: none, to: bob@example.net, concurrency: 1`
    scene.destinations = [`next: { ${keys}${more} }`, ...scene.destinations]
    scene.deliver = deliver
    answerFor(server, isExact(world))
  }
  const polls: Polled[] = []
  const states: State[] = []
  for (const step of world.steps) {
    const count = () => ({ retrieved: scene.count('RETR'), sessions: scene.server.journal.of('connect').length })
    const before = count()
    const report = await polled(scene, step, road)
    const sessions = count().sessions - before.sessions
    const retrieved = sessions === 1 ? count().retrieved - before.retrieved : null
    polls.push({ report: told(report, sessions, server), sessions, retrieved })
    // When it takes what it refused depends on seconds, and on how many it refuses in a row.
    if (server !== null && isExact(world)) server.oddAt = () => null
    states.push(await stateOf(scene, server))
    // Time may have passed meanwhile, and not as much on the other road.
    vi.setSystemTime(BEGIN_MS + polls.length * (elsewhere === null ? HOUR : MORE_THAN_AN_HOUR))
  }
  return { polls, states }
}

/** Where two values differ first, in words; null: nowhere. */
function difference(one: unknown, other: unknown, at = ''): string | null {
  if (Object.is(one, other)) return null
  if (typeof one !== 'object' || typeof other !== 'object' || one === null || other === null || Buffer.isBuffer(one))
    return isDeepStrictEqual(one, other) ? null : `${at}: ${shown(one)} on the lane, ${shown(other)} on the usual road`
  for (const name of new Set([...Object.keys(one), ...Object.keys(other)])) {
    const [a, b] = [one, other].map((each) => (each as Record<string, unknown>)[name])
    const found = difference(a, b, `${at}/${name}`)
    if (found !== null) return found
  }
  return null
}

function shown(value: unknown): string {
  return (JSON.stringify(value) ?? 'nothing').slice(0, 300)
}

function compared(world: World, lane: Played, usual: Played): readonly string[] {
  const about = `world ${world.seed}, ${world.what}`
  for (const [at, { what, agreement }] of world.steps.entries()) {
    if (agreement !== 'all') break
    const polls = difference(lane.polls[at], usual.polls[at])
    if (polls !== null) return [`${about}\n  the poll with ${what}: ${polls}`]
    const states = difference(lane.states[at], usual.states[at])
    if (states !== null) return [`${about}\n  behind ${what}: ${states}`]
  }
  const [one, other] = [lane, usual].map(({ states }) => (isExact(world) ? states.at(-1) : undated(states.at(-1))))
  const end = difference(one, other)
  return end === null ? [] : [`${about}\n  in the end: ${end}`]
}

test('worlds end the same where another thread works on the files', async () => {
  const found: string[] = []
  for (const seed of [2, 5, 11, 14]) {
    const world = worldOf(seed)
    found.push(...compared(world, await play(world, 'apart'), await play(world, 'usual')))
  }
  expect(found.join('\n\n')).toBe('')
})

for (let from = 0; from < COUNT; from += TOGETHER) {
  const seeds = Array.from({ length: Math.min(TOGETHER, COUNT - from) }, (_, at) => FROM + from + at)
  test(`worlds ${seeds[0]} to ${seeds.at(-1)} end the same on both roads`, async () => {
    const found: string[] = []
    for (const seed of seeds) {
      const world = worldOf(seed)
      const usual = await play(world, 'usual')
      // Every other one beside the lane of another account, where work is done in slices.
      using _ = seed % 2 === 0 ? slices.open() : null
      const lane = await play(world, 'lane')
      found.push(...compared(world, lane, usual))
    }
    expect(found.join('\n\n')).toBe('')
  })
}

for (let from = 0; from < COUNT / 2; from += ELSEWHERE.length) {
  const seeds = ELSEWHERE.map((_, at) => FROM + from + at)
  test(`worlds ${seeds[0]} to ${seeds.at(-1)} end the same on both roads where the mail goes to a mail server`, async () => {
    const found: string[] = []
    for (const [at, seed] of seeds.entries()) {
      const world = worldOf(seed)
      const elsewhere = ELSEWHERE[at] ?? null
      const [usual, lane] = [await play(world, 'usual', elsewhere), await play(world, 'lane', elsewhere)]
      found.push(...compared(world, lane, usual).map((text) => `${elsewhere?.what}, ${text}`))
    }
    expect(found.join('\n\n')).toBe('')
  })
}
