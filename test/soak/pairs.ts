// `npm run test:soak:pairs [-- POLLS]`: two thousand polls in which a mailbox and its destinations misbehave in random pairs, for
// some days and then no more, with a clock that jumps from poll to poll. Judged at the end of each world: every good message
// is at every destination, and gone from the server; a Maildir has it exactly once, a mail server once more for each answer
// that was lost; every bad one is kept on the server, and the ledger says why; no destination was asked while it was left
// alone. Ends with 0 or 1. SEED=N repeats a run; the seed is printed.
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { loadConfiguration } from '../../src/config/load.ts'
import type { MessageRecord } from '../../src/ledger/records.ts'
import { openLedger } from '../../src/ledger/sqlite/open.ts'
import { silentLog } from '../../src/log.ts'
import { pollAll } from '../../src/poll/poller.ts'
import type { AccountReport } from '../../src/poll/report.ts'
import { Pop3Server } from '../support/pop3-server.ts'
import { SmtpSink } from '../support/smtp-server.ts'

const POLLS = Number(process.argv[2] ?? 2_000)
const MINUTE_MS = 60_000
const HOUR_MS = 60 * MINUTE_MS
const FIRST_SEED = Number(process.env['SEED'] ?? 1) >>> 0

/** With both sides well, and enough hours between the polls, everything must have ended after so many of them. */
const WELL_POLLS = 14

let seed = FIRST_SEED
function random(): number {
  seed = (Math.imul(seed, 1_664_525) + 1_013_904_223) >>> 0
  return seed / 2 ** 32
}
const pick = <T>(all: readonly T[]): T => all[Math.floor(random() * all.length)]!
const below = (limit: number): number => Math.floor(random() * limit)

let nowMs = 1.8e12
Date.now = () => nowMs

interface World {
  readonly server: Pop3Server
  readonly sink: SmtpSink
  /** Messages whose RETR always ends the session. */
  readonly poisonous: ReadonlySet<number>
  /** Messages that the mail server never takes, for what they are. */
  readonly unwanted: ReadonlySet<number>
  /** Answers to a complete message that were lost, by subject. */
  readonly lost: number[]
}

/** Each sets its fault at the beginning of a poll; what it returns is told with a failure. */
const SERVER_HABITS: Readonly<Record<string, (world: World) => void>> = {
  well: () => {},
  'no TOP': ({ server }) => void server.faults.reply.set('TOP', '-ERR no such command'),
  'QUIT deletes nothing': ({ server }) => void (server.faults.ignoreDeletes = true),
  'QUIT is refused': ({ server }) => void (server.faults.quitError = '-ERR some not removed'),
  'QUIT is not answered': ({ server }) => void (server.faults.quitLost = true),
  'oldest three listed': ({ server }) => void (server.faults.window = 3),
  'newest three listed': ({ server }) => void Object.assign(server.faults, { window: 3, windowEnd: 'newest' }),
  'sign-in not now': ({ server }) => void server.faults.reply.set('PASS', '-ERR [SYS/TEMP] later'),
  'cut somewhere': ({ server }) =>
    void Object.assign(server.faults, { cutAfterBytes: 200 + below(9_000), cutTimes: 1 }),
  'reset somewhere': ({ server }) =>
    void Object.assign(server.faults, { cutAfterBytes: 200 + below(9_000), cutTimes: 1, cutMode: 'rst' }),
  'one command at a time': ({ server }) => void (server.faults.pipelining = 'close'),
  'DELE refused': ({ server }) => void server.faults.reply.set('DELE 2', '-ERR no'),
}

const SINK_HABITS: Readonly<Record<string, (world: World) => void>> = {
  well: () => {},
  'not now': ({ sink }) => void (sink.faults.connect = '421 4.3.2 too busy'),
  'sender not now': ({ sink }) => void (sink.faults.mail = '451 4.3.0 try later'),
  'recipient refused': ({ sink }) => void (sink.faults.rcpt = '550 5.1.1 no such user'),
  greylisted: ({ sink }) => void (sink.faults.rcpt = '450 4.2.0 greylisted, try again in 5 minutes'),
  full: ({ sink }) => void (sink.faults.rcpt = '452 4.2.2 mailbox full'),
  'no more today': ({ sink }) => void (sink.faults.dot = '550 5.4.5 daily quota exceeded'),
  'some content not now': ({ sink, unwanted }) =>
    void (sink.faults.dot = ({ bytes }) =>
      unwanted.has(subjectOf(bytes)) ? '554 5.7.1 spam' : random() < 0.4 ? '451 4.7.1 try again' : null),
  'answer lost now and then': ({ sink, unwanted, lost }) => {
    const once = new Set<number>()
    sink.faults.dot = ({ bytes }) => {
      const subject = subjectOf(bytes)
      if (unwanted.has(subject)) return '554 5.7.1 spam'
      if (once.has(subject) || lost.includes(subject) || random() > 0.3) return null
      once.add(subject)
      lost.push(subject)
      return 'lost'
    }
  },
}

const ROUTES: readonly (readonly [deliver: string, maildir: boolean, smtp: boolean])[] = [
  ['inbox', true, false],
  ['hop', false, true],
  ['[inbox, hop]', true, true],
]

function subjectOf(bytes: Buffer): number {
  return Number(/^Subject: letter (\d+)\r?$/m.exec(bytes.toString('latin1'))?.[1] ?? -1)
}

function letter(number: number): string {
  const lines = ['From: ada@example.org', `Subject: letter ${number}`, `Message-ID: <${number}@example.org>`]
  return [...lines, 'Date: Tue, 24 Nov 2026 10:00:00 +0000', '', 'text '.repeat(40), ''].join('\r\n')
}

console.log(`seed ${FIRST_SEED}`)
let polls = 0
let worlds = 0
let failures = 0
while (polls < POLLS) {
  worlds++
  for (const failure of await live(worlds)) {
    failures++
    console.log(`world ${worlds}: ${failure}`)
  }
}
console.log(`${polls} polls, ${worlds} worlds: ${worlds} passed, ${failures} failed`)
process.exit(failures === 0 ? 0 : 1)

/** One world, from its first poll to its last; what was wrong at the end. */
async function live(number: number): Promise<readonly string[]> {
  const directory = await mkdtemp(join(tmpdir(), 'popfetch-pairs-'))
  await using server = await Pop3Server.start()
  await using sink = await SmtpSink.start()
  try {
    const count = 4 + below(9)
    const subjects = Array.from({ length: count }, (_, at) => number * 1_000 + at)
    const poisonous = new Set(random() < 0.3 ? [pick(subjects)] : [])
    const unwanted = new Set(random() < 0.3 ? [pick(subjects)] : [])
    const world: World = { server, sink, poisonous, unwanted, lost: [] }
    const mailbox = server.mailbox('alice', 'secret')
    for (const subject of subjects) mailbox.add(letter(subject), { uidl: `uid-${subject}` })
    const [deliver, toMaildir, toSmtp] = pick(ROUTES)
    const serverHabit = pick(Object.keys(SERVER_HABITS))
    const sinkHabit = toSmtp ? pick(Object.keys(SINK_HABITS)) : 'well'
    const name = `${serverHabit} × ${sinkHabit}, deliver: ${deliver}, ${count} messages`
    const file = await configured(directory, server, sink, deliver)
    const wrong: string[] = []
    const badDays = 3 + below(4)
    let last: AccountReport | null = null
    for (let day = 0; day < badDays + WELL_POLLS; day++) {
      const isBad = day < badDays
      wellAgain(world)
      if (isBad) {
        SERVER_HABITS[serverHabit]!(world)
        SINK_HABITS[sinkHabit]!(world)
      }
      nowMs += isBad ? pick([5 * MINUTE_MS, 20 * MINUTE_MS, 2 * HOUR_MS]) : 26 * HOUR_MS
      const { report, askedWhileResting } = await poll(file, directory, world)
      polls++
      last = report
      if (askedWhileResting !== null) wrong.push(`poll ${day}: ${askedWhileResting}`)
    }
    wrong.push(...(await judged(file, directory, world, { subjects, toMaildir, toSmtp })))
    if (wrong.length > 0 && last !== null) wrong.push(`last poll: ${JSON.stringify(last).slice(0, 600)}`)
    return wrong.map((what) => `${name}: ${what}`)
  } finally {
    await rm(directory, { recursive: true, force: true })
  }
}

/** What stays amiss whatever the day: the bad messages. */
function wellAgain({ server, sink, poisonous, unwanted }: World): void {
  Object.assign(server.faults, new (server.faults.constructor as new () => typeof server.faults)())
  server.faults.onCommand = (verb, args) => {
    const stored = server.mailbox('alice').messages[Number(args) - 1]
    const isPoisonous = stored !== undefined && poisonous.has(Number(stored.uidl.slice(4)))
    return verb === 'RETR' && isPoisonous ? 'drop' : 'serve'
  }
  Object.assign(sink.faults, { connect: null, auth: null, mail: null, rcpt: null })
  sink.faults.dot = ({ bytes }) => (unwanted.has(subjectOf(bytes)) ? '554 5.7.1 spam' : null)
}

async function configured(directory: string, server: Pop3Server, sink: SmtpSink, deliver: string): Promise<string> {
  const file = join(directory, 'config.yaml')
  const lines = [
    'accounts:',
    `  work: { host: ${server.host}, port: ${server.port}, tls: none, user: alice, password: secret,`,
    `    timeout: 5s, delete: after-delivery, first: all, deliver: ${deliver} }`,
    'destinations:',
    '  inbox: { type: maildir, path: inbox }',
    `  hop: { type: smtp, host: ${sink.host}, port: ${sink.port}, tls: none, to: bob@example.net }`,
    'state: state/state.db',
  ]
  await writeFile(file, lines.join('\n'), { mode: 0o600 })
  return file
}

function load(file: string, directory: string) {
  const uid = process.getuid?.() ?? 0
  return loadConfiguration({ file, state: null, env: { HOME: directory }, cwd: directory, uid })
}

async function poll(file: string, directory: string, { sink }: World) {
  const configuration = await load(file, directory)
  await using ledger = await openLedger(configuration.statePath)
  const resting = (await ledger.destinations()).find(({ rest }) => rest !== null && rest.untilMs > nowMs)
  const connections = sink.connections
  const [report] = await pollAll({
    configuration,
    accounts: configuration.accounts,
    ledger,
    options: { dryRun: false, limit: null, all: false, acceptNewIds: false, yes: false, eager: false },
    observer: { progress: () => {}, note: () => {} },
    log: silentLog,
    env: {},
    signal: new AbortController().signal,
    sessionGapSeconds: 0,
  })
  if (report === undefined) throw new Error('no report')
  const asked = sink.connections - connections
  const { rest } = resting ?? {}
  const askedWhileResting =
    rest !== undefined && rest !== null && asked > 0
      ? `${asked} connections ${Math.round((rest.untilMs - nowMs) / MINUTE_MS)} min before its rest (${rest.conclusion}) ended`
      : null
  return { report, askedWhileResting }
}

interface Expected {
  readonly subjects: readonly number[]
  readonly toMaildir: boolean
  readonly toSmtp: boolean
}

async function judged(
  file: string,
  directory: string,
  { server, sink, poisonous, unwanted, lost }: World,
  { subjects, toMaildir, toSmtp }: Expected,
): Promise<readonly string[]> {
  const wrong: string[] = []
  const left = new Set(server.mailbox('alice').messages.map(({ uidl }) => Number(uidl.slice(4))))
  const inMaildir = await maildirSubjects(join(directory, 'inbox'))
  const atHop = sink.messages.map(({ bytes }) => subjectOf(bytes))
  const records = new Map<number, MessageRecord>()
  {
    const configuration = await load(file, directory)
    await using ledger = await openLedger(configuration.statePath)
    for await (const slice of ledger.records.list('work', 'all'))
      for (const record of slice) records.set(Number(record.key.uidl.slice(4)), record)
  }
  const times = (all: readonly number[], subject: number): number => all.filter((one) => one === subject).length
  for (const subject of subjects) {
    const isBad = poisonous.has(subject) || (toSmtp && unwanted.has(subject))
    if (isBad) {
      if (!left.has(subject)) wrong.push(`bad message ${subject} is gone from the server`)
      const record = records.get(subject)
      const reason = record?.reason ?? record?.deliveries.find(({ error }) => error !== null)?.error ?? null
      if (reason === null) wrong.push(`the ledger has no reason for bad message ${subject}`)
      continue
    }
    if (left.has(subject)) wrong.push(`message ${subject} is still on the server`)
    if (toMaildir && times(inMaildir, subject) !== 1)
      wrong.push(`message ${subject} is ${times(inMaildir, subject)} times in the Maildir`)
    const most = 1 + times(lost, subject)
    const came = times(atHop, subject)
    if (toSmtp && (came < 1 || came > most))
      wrong.push(`message ${subject} came ${came} times to the next hop, at most ${most}`)
  }
  return wrong
}

async function maildirSubjects(directory: string): Promise<readonly number[]> {
  const found: number[] = []
  for (const folder of ['new', 'cur'])
    for (const file of await readdir(join(directory, folder)).catch(() => []))
      found.push(subjectOf(await readFile(join(directory, folder, file))))
  return found
}
