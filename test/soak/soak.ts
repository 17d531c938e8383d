// `npm run test:soak [-- POLLS]`: the daemon in this process, ten thousand polls of it, against a server that
// misbehaves at random. Heap, descriptors and handles must stay flat (N011, N012), and every message must arrive exactly once.
// Ends with 0 or 1 and a table. Bounded: the clock of the scheduler runs six hundred times faster.
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { readdirSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { performance } from 'node:perf_hooks'
import { loadConfiguration } from '../../src/config/load.ts'
import type { Clock } from '../../src/daemon/schedule/clock.ts'
import { Daemon } from '../../src/daemon/daemon.ts'
import { askDaemon } from '../../src/daemon/control/client.ts'
import { socketPath } from '../../src/daemon/control/protocol.ts'
import { openLedger } from '../../src/ledger/sqlite/open.ts'
import { silentLog } from '../../src/log.ts'
import type { Action, ServedSession } from '../support/pop3-server.ts'
import { Pop3Server } from '../support/pop3-server.ts'

const POLLS = Number(process.argv[2] ?? 10_000)
const ACCOUNTS = 20
const SAMPLES = 10
const SPEED = 600
/** This many sessions meet a fault, at one of their first commands: not more, or a full mailbox would never be emptied. */
const FAULTY_SHARE = 0.3
const FAULTY_COMMANDS = 15
/** What a heap of a few dozen megabytes may gain: buffers that a generation keeps, compiled code. */
const HEAP_SLACK_BYTES = 4 << 20
/** Beside the heap: what the allocator does not give back. A leak of buffers is soon above it. */
const RESIDENT_SLACK_BYTES = 32 << 20
const HANDLES_SLACK = 3 * ACCOUNTS

const { gc } = globalThis
if (gc === undefined) throw new Error('run with --expose-gc: npm run test:soak')

/** A seed, so that a soak that failed can be had again. */
let seed = Number(process.env['SEED'] ?? 1) >>> 0
function random(): number {
  seed = (Math.imul(seed, 1_664_525) + 1_013_904_223) >>> 0
  return seed / 2 ** 32
}
const pick = <T>(all: readonly T[]): T => all[Math.floor(random() * all.length)]!

const began = performance.now()
const clock: Clock = {
  nowMs: () => 1.8e12 + (performance.now() - began) * SPEED,
  elapsedMs: () => (performance.now() - began) * SPEED,
  after(delayMs, act) {
    const timer = setTimeout(act, delayMs / SPEED)
    return () => clearTimeout(timer)
  },
}

let letters = 0
let posting = true
let faults = 0

/** How many commands each session is still served well. */
const patience = new WeakMap<ServedSession, number>()

/** A healthy answer most of the time; else what bad servers, bad networks and bad days do. */
function fault(verb: string, _args: string, session: ServedSession): Action {
  const left = patience.get(session) ?? (random() < FAULTY_SHARE ? Math.floor(random() * FAULTY_COMMANDS) : Infinity)
  patience.set(session, left - 1)
  if (left !== 0) return 'serve'
  faults++
  return pick<() => Action>([
    () => 'drop',
    () => 'reset',
    () => '-ERR no',
    () => '-ERR [SYS/TEMP] later',
    () => 'hello?',
    () => ({ answer: `+OK ${'x'.repeat(5000)}`, next: 'reset' }),
    () => {
      session.write('-ERR unasked\r\n')
      return 'serve'
    },
    () => (verb === 'QUIT' ? 'drop' : { answer: '+OK 1000 octets\r\nSubject: cut\r\n\r\nhalf', next: 'drop' }),
    () => (random() > 0.9 ? 'stall' : 'drop'),
  ])()
}

const directory = await mkdtemp(join(tmpdir(), 'popfetch-soak-'))
const server = await Pop3Server.start()
const users = Array.from({ length: ACCOUNTS }, (_, at) => `user${at}`)
try {
  process.exitCode = (await soak()) ? 0 : 1
} finally {
  await server[Symbol.asyncDispose]().catch(() => {})
  await rm(directory, { recursive: true, force: true })
}
// A handle that was left would be a leak to see, but not a reason to hang.
process.exit()

async function soak(): Promise<boolean> {
  for (const user of users) server.mailbox(user, 'secret')
  const keys = { host: server.host, port: server.port, tls: 'none', password: 'secret', deliver: 'inbox' }
  const file = join(directory, 'config.json')
  const configure = async (limit: number): Promise<void> => {
    const usual = { ...keys, delete: 'after-delivery', poll: '10s', timeout: '1s', limit }
    const accounts = Object.fromEntries(users.map((user) => [user, { ...usual, user }]))
    const destinations = { inbox: { type: 'maildir', path: 'Mail' } }
    await writeFile(file, JSON.stringify({ accounts, destinations, state: 'state.db' }), { mode: 0o600 })
  }
  await configure(1000)
  const load = () => loadConfiguration({ file, state: null, env: {}, cwd: directory, uid: process.getuid?.() ?? 0 })
  const configuration = await load()
  await using ledger = await openLedger(configuration.statePath)

  let polls = 0
  let enough = Promise.withResolvers<void>()
  let wanted = 0
  const daemon = await Daemon.start({
    configuration,
    only: [],
    load,
    prepare: () => Promise.resolve(),
    ledger,
    log: silentLog,
    env: {},
    signal: new AbortController().signal,
    version: 'soak',
    clock,
    random,
    ended: () => {
      polls++
      if (posting && random() < 0.5) post(pick(users))
      if (polls >= wanted) enough.resolve()
    },
  })
  const until = async (count: number): Promise<void> => {
    wanted = count
    enough = Promise.withResolvers()
    await enough.promise
  }
  const waking = setInterval(() => daemon.wake(), 200)
  server.faults.onCommand = fault

  console.log('  polls  faults     heap      rss  fds  handles')
  const samples: Sample[] = []
  for (let sample = 0; sample <= SAMPLES; sample++) {
    // The first tenth warms up: code is compiled, caches fill.
    await until(Math.round((POLLS * (sample + 1)) / (SAMPLES + 1)))
    server.journal.length = 0
    // What a configuration had opened must be closed with it.
    for (let reloads = 0; reloads < 10; reloads++) {
      await configure(1000 + sample * 10 + reloads)
      await daemon.reload({ yes: false })
    }
    samples.push(await look(polls))
  }
  server.faults.onCommand = null
  posting = false
  clearInterval(waking)
  // A message that ended sessions waits for its turn; three polls of everything are enough.
  for (let rounds = 0; rounds < 3; rounds++) await everythingPolled(ledger.place)
  await daemon[Symbol.asyncDispose]()
  return [flat(samples), await everythingArrivedOnce()].every(Boolean)
}

async function everythingPolled(ledger: string): Promise<void> {
  const { signal } = new AbortController()
  const request = { verb: 'wake', accounts: [], eager: true, wait: true, mark: null } as const
  const answer = await askDaemon(await socketPath(ledger, {}), request, signal)
  const outcomes = Map.groupBy(answer?.reports ?? [], ({ outcome, error }) => error?.message ?? outcome)
  for (const [outcome, reports] of outcomes) console.log(`${reports.length} accounts: ${outcome}`)
}

function post(user: string): void {
  letters++
  server
    .mailbox(user)
    .add(`From: a@example.org\nSubject: letter ${letters}\n\n${'text '.repeat(200)}\n`, { uidl: `uid-${letters}` })
}

interface Sample {
  readonly heapBytes: number
  readonly residentBytes: number
  readonly fds: number
  readonly handles: number
}

async function look(polls: number): Promise<Sample> {
  for (let rounds = 0; rounds < 3; rounds++) {
    gc!()
    await new Promise((next) => setImmediate(next))
  }
  const { heapUsed: heapBytes, rss: residentBytes } = process.memoryUsage()
  const fds = readdirSync('/proc/self/fd').length
  const handles = process.getActiveResourcesInfo().length
  const megabytes = (bytes: number): string => `${(bytes / 2 ** 20).toFixed(1)} MB`.padStart(9)
  console.log(
    `${String(polls).padStart(7)} ${String(faults).padStart(7)} ${megabytes(heapBytes)} ${megabytes(residentBytes)} ${String(fds).padStart(4)} ${String(handles).padStart(8)}`,
  )
  return { heapBytes, residentBytes, fds, handles }
}

/** The end against the middle: by then everything is compiled and every cache is full. */
function flat(samples: readonly Sample[]): boolean {
  const middle = Math.floor(samples.length / 2)
  const slacks = {
    heapBytes: HEAP_SLACK_BYTES,
    residentBytes: RESIDENT_SLACK_BYTES,
    fds: HANDLES_SLACK,
    handles: HANDLES_SLACK,
  } as const
  // The least of three: a sample may meet twenty sessions at once, or none.
  const least = (first: number, key: keyof Sample): number =>
    Math.min(...samples.slice(first, first + 3).map((sample) => sample[key]))
  const problems = Object.entries(slacks).flatMap(([name, slack]) => {
    const key = name as keyof Sample
    const growth = least(samples.length - 3, key) - least(middle - 2, key)
    return growth > slack ? [`${key} by ${growth}`] : []
  })
  if (problems.length > 0) console.log(`grew: ${problems.join(', ')}`)
  return problems.length === 0
}

async function everythingArrivedOnce(): Promise<boolean> {
  const counts = new Map<number, number>()
  for (const part of ['new', 'cur']) {
    for (const name of await readdir(join(directory, 'Mail', part))) {
      const text = await readFile(join(directory, 'Mail', part, name), 'latin1')
      const letter = Number(/^Subject: letter (\d+)$/m.exec(text)?.[1])
      if (text.includes('Subject: cut')) console.log(`half a message arrived: ${name}`)
      counts.set(letter, (counts.get(letter) ?? 0) + 1)
    }
  }
  const held = users.reduce((sum, user) => sum + server.mailbox(user).messages.length, 0)
  const twice = [...counts].filter(([, count]) => count > 1).length
  const missing = Array.from({ length: letters }, (_, at) => at + 1).filter((letter) => !counts.has(letter)).length
  console.log(`${letters} messages: ${twice} twice, ${missing} missing, ${held} still on the server`)
  return twice === 0 && missing <= held
}
