// To a mail server the lane says MAIL, RCPT and DATA for the next message in one write with the end of the one before (RFC 2920 3.1). The
// table: whatever is answered, to which of these, in whatever pieces, the lane leaves the same behind as the usual road, on which the
// envelope waits for its turn. By default each answer to each step in one of the worlds; POPFETCH_ANNOUNCED=all plays it in all of them.
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import type { AccountReport } from '../../../src/poll/report.ts'
import {
  AnsweringServer,
  type AnsweringOptions,
  HEALTHY,
  type Odd,
  type Stage,
} from '../../support/answering-server.ts'
import { caFile } from '../../support/certificates.ts'
import { patiently } from '../patience.ts'
import { Scene } from '../scene.ts'
import { plain, recordsOf } from './found.ts'

const BEGIN_MS = Date.parse('2026-11-30T12:00:00Z')
/** What was refused is due again. */
const BETWEEN_MS = 25 * 3_600_000
const MOST_POLLS = 6
const COUNT = 6
/** This one's end goes with the commands for the next one. */
const BEFORE = 3

beforeEach(() => void vi.useFakeTimers({ toFake: ['Date'], now: BEGIN_MS }))
afterEach(() => {
  vi.useRealTimers()
  vi.unstubAllEnvs()
})

interface Step {
  readonly stage: Stage
  readonly transaction: number
}

const STEPS: readonly Step[] = [
  { stage: 'dot', transaction: BEFORE },
  { stage: 'MAIL', transaction: BEFORE + 1 },
  { stage: 'RCPT', transaction: BEFORE + 1 },
  { stage: 'DATA', transaction: BEFORE + 1 },
]

/** `all`: the roads tell the same, poll by poll. `end`: what becomes of the mail is the same; which of two messages is in doubt, and over
 *  which connection one goes, depends on what had come when. */
type Agreement = 'all' | 'end'

interface Answer {
  readonly name: string
  readonly odd: (healthy: string, stage: Stage) => Omit<Odd, 'next' | 'isTaken' | 'isDoubtful'> & Partial<Odd>
  readonly agreement: (stage: Stage) => Agreement
}

const all = (): Agreement => 'all'
const end = (): Agreement => 'end'
/** What is no answer to an announced command may come before that message is sent. */
const ofTheEnd = (stage: Stage): Agreement => (stage === 'dot' ? 'all' : 'end')

/** More than a session takes of one answer. */
const LONG = 'x'.repeat(70_000)

const ANSWERS: readonly Answer[] = [
  {
    name: 'a success',
    odd: (_, stage) => ({ text: '250 ok\r\n', isDoubtful: stage === 'DATA' }),
    agreement: (stage) => (stage === 'DATA' ? 'end' : 'all'),
  },
  { name: 'several lines', odd: (healthy) => ({ text: `${healthy.slice(0, 3)}-first\r\n${healthy}` }), agreement: all },
  { name: '354', odd: (_, stage) => ({ text: '354 go on\r\n', isDoubtful: stage !== 'DATA' }), agreement: ofTheEnd },
  { name: '4xx', odd: () => ({ text: '451 4.3.0 later\r\n' }), agreement: all },
  { name: '5xx', odd: () => ({ text: '554 5.7.1 no\r\n' }), agreement: all },
  { name: '421 and an end', odd: () => ({ text: '421 4.3.2 closing\r\n', next: 'end' }), agreement: ofTheEnd },
  { name: 'a success and an end', odd: (healthy) => ({ text: healthy, next: 'end' }), agreement: end },
  { name: 'a success and a reset', odd: (healthy) => ({ text: healthy, next: 'reset' }), agreement: end },
  { name: 'a success and 421', odd: (text) => ({ text: `${text}421 4.3.2 closing\r\n`, next: 'end' }), agreement: end },
  { name: 'garbage', odd: () => ({ text: 'what?\r\n', isDoubtful: true }), agreement: ofTheEnd },
  { name: 'a line too long', odd: () => ({ text: `${LONG}\r\n`, isDoubtful: true }), agreement: ofTheEnd },
  { name: 'a line without an end', odd: () => ({ text: LONG, next: 'silent', isDoubtful: true }), agreement: ofTheEnd },
  { name: 'two successes', odd: (text) => ({ text: `${text}250 again\r\n`, isDoubtful: true }), agreement: end },
  {
    name: 'a success and a refusal',
    odd: (healthy, stage) => ({ text: `${healthy}554 no\r\n`, isDoubtful: true, isTaken: stage !== 'DATA' }),
    agreement: end,
  },
  { name: 'half an answer', odd: () => ({ text: '25', next: 'end' }), agreement: ofTheEnd },
  { name: 'an end', odd: () => ({ text: '', next: 'end' }), agreement: ofTheEnd },
  { name: 'a reset', odd: () => ({ text: '', next: 'reset' }), agreement: ofTheEnd },
  { name: 'silence', odd: () => ({ text: '', next: 'silent' }), agreement: all },
]

interface World extends AnsweringOptions {
  readonly what: string
  readonly to: readonly string[]
  /** Of the destination. */
  readonly more?: string
  readonly deliver: string
  readonly deletes: boolean
}

const USUAL = { to: ['bob@example.net'], deliver: 'next', deletes: true } as const
const KINDS: readonly World[] = [
  { ...USUAL, what: 'SMTP' },
  { ...USUAL, what: 'SMTP, of mail that stays', deletes: false },
  { ...USUAL, what: 'SMTP with wrap', more: 'wrap: when-refused' },
  { ...USUAL, what: 'TLS', tls: true },
  { ...USUAL, what: 'LMTP', protocol: 'lmtp' },
  { ...USUAL, what: 'LMTP, two recipients', protocol: 'lmtp', to: ['bob@example.net', 'eve@example.net'] },
  { ...USUAL, what: 'SMTP, else a Maildir', deliver: '{ first-of: [next, inbox] }' },
]
const PIECES = ['together', 'replies', 'bytes'] as const
const WORLDS = KINDS.flatMap((kind) =>
  PIECES.map((pieces): World => ({ ...kind, pieces, what: `${kind.what}, answers: ${pieces}` })),
)

interface Found {
  readonly polls: readonly unknown[]
  readonly end: { readonly records: readonly object[]; readonly left: readonly string[] }
  /** The subjects, in their order: at the server, then in the Maildir. */
  readonly arrived: readonly (string | undefined)[]
  readonly possibleDuplicates: number
  readonly takenBehind: number
}

/** Without what differs at every run. */
function told(report: AccountReport, port: number): unknown {
  const text = JSON.stringify({ ...report, bytes: null, durationMs: null })
  return JSON.parse(plain(text.replaceAll(new RegExp(`(?:127\\.0\\.0\\.1|localhost):${port}`, 'g'), 'there')))
}

async function opened(server: AnsweringServer, world: World): Promise<Scene> {
  const scene = await Scene.create()
  const { protocol = 'smtp', to, more } = world
  const place = world.tls === true ? `tls: implicit, ca: ${caFile}, host: localhost` : 'host: 127.0.0.1, tls: none'
  const next = [`type: ${protocol}`, place, `port: ${server.port}`, `to: [${to.join(', ')}]`, 'concurrency: 1', more]
  scene.destinations = [`next: { ${next.filter(Boolean).join(', ')} }`, 'inbox: { type: maildir, path: inbox }']
  scene.deliver = world.deliver
  scene.account = world.deletes ? ['delete: after-delivery'] : []
  scene.fill(COUNT)
  return scene
}

async function play(
  road: 'lane' | 'usual',
  world: World,
  fault: { readonly step: Step; readonly odd: Odd } | null,
): Promise<Found & { readonly announced: number }> {
  vi.stubEnv('POPFETCH_ROAD', road)
  vi.setSystemTime(BEGIN_MS)
  await using server = await AnsweringServer.start(world)
  await using scene = await opened(server, world)
  let isDue = fault !== null
  server.oddAt = (stage, transaction) => {
    if (!isDue || stage !== fault?.step.stage || transaction !== fault.step.transaction) return null
    isDue = false
    return fault.odd
  }
  const polls: unknown[] = []
  let possibleDuplicates = 0
  const poll = () => scene.poll()
  for (
    let isWell = false;
    !isWell && polls.length < MOST_POLLS;
    vi.setSystemTime(BEGIN_MS + polls.length * BETWEEN_MS)
  ) {
    const isPatient = polls.length === 0 && fault?.odd.next === 'silent'
    const report = await (isPatient ? patiently(scene.server, poll) : poll())
    isWell = report.outcome === 'ok' && polls.length > 0
    possibleDuplicates += report.possibleDuplicates
    polls.push(told(report, server.port))
  }
  const records = (await recordsOf(scene)).map((each) => ({ ...each, deletedMs: null, goneSinceMs: null }))
  const subjects = (texts: readonly string[]) => texts.map((text) => /^Subject: (letter \d+)\r?$/m.exec(text)?.[1])
  const { takenBehind, announced } = server
  const arrived = [...subjects(server.messages), ...subjects(scene.mail())]
  return { polls, end: { records, left: scene.left() }, arrived, possibleDuplicates, takenBehind, announced }
}

/** No message is lost, and none is there twice but what was told. */
function expectKept({ arrived, possibleDuplicates, takenBehind, end: { left } }: Found, world: World): void {
  expect(new Set(arrived).size).toBe(COUNT)
  const over = arrived.length - COUNT * world.to.length
  expect(over).toBeLessThanOrEqual(possibleDuplicates)
  expect(possibleDuplicates).toBeLessThanOrEqual(1)
  expect(takenBehind).toBe(0)
  expect(left).toHaveLength(world.deletes ? 0 : COUNT)
}

const cells = ANSWERS.flatMap((answer) => STEPS.map((step) => ({ answer, step })))
const table = cells.flatMap(({ answer, step }, at) => {
  const worlds = process.env['POPFETCH_ANNOUNCED'] === 'all' ? WORLDS : [WORLDS[(at * 5) % WORLDS.length] ?? WORLDS[0]]
  return worlds.map((world) => ({
    answer,
    step,
    world,
    what: `${answer.name} to ${step.stage} of ${step.transaction}`,
  }))
})

test.each(table)('$what ($world.what)', async ({ answer, step, world }) => {
  if (world === undefined) return
  const made = answer.odd(HEALTHY[step.stage], step.stage)
  const isTaken = !/^[45]/.test(made.text)
  const fault = { step, odd: { next: 'go on', isTaken, isDoubtful: false, ...made } as const }
  const { announced: none, ...usual } = await play('usual', world, fault)
  const { announced: _, ...lane } = await play('lane', world, fault)
  expect(none).toBe(0)
  for (const found of [usual, lane]) expectKept(found, world)
  if (answer.agreement(step.stage) === 'all') expect(lane).toEqual(usual)
  else expect(lane.end).toEqual(usual.end)
})

test.each(WORLDS)('a healthy server, $what: the lane announces', async (world) => {
  const { announced, ...lane } = await play('lane', world, null)
  const { announced: none, ...usual } = await play('usual', world, null)
  const isForLane = world.to.length === 1 && world.deliver === 'next'
  expect([announced, none]).toEqual([isForLane ? COUNT - 1 : 0, 0])
  expect(lane).toEqual(usual)
})
