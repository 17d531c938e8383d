// `npm run test:soak:machines [-- --short]`: three daemons share 300 accounts of one server by one ledger in PostgreSQL for ten minutes.
// One is killed and started again, one is stopped for 90 seconds, the line of one to the database freezes, the database is
// restarted. Short: 30 accounts, a minute and a half. Ends with 0 or 1 and its verdicts (soak/machines/judge.ts). Needs Debian's
// PostgreSQL. On a machine that has other work the intervals are those of that work.
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import type { Ledger } from '../../src/ledger/ledger.ts'
import { openPostgres } from '../../src/ledger/postgres/open.ts'
import { Pop3Server, type ServedSession } from '../support/pop3-server.ts'
import { PostgresServer, USER } from '../support/postgres-server.ts'
import { SmtpSink } from '../support/smtp-server.ts'
import { judge } from './machines/judge.ts'
import { Link } from './machines/link.ts'
import { Machine } from './machines/machine.ts'

const SHORT = process.argv.includes('--short')
const ACCOUNTS = SHORT ? 30 : 300
const INTERVAL_MS = SHORT ? 8000 : 60_000
/** When what happens, from the first poll of all on; how long things last. */
const PLAN_MS = SHORT
  ? {
      kill: 10_000,
      down: 8000,
      stop: 25_000,
      stopped: 40_000,
      restart: 68_000,
      freeze: 72_000,
      frozen: 35_000,
      end: 125_000,
    }
  : {
      kill: 60_000,
      down: 20_000,
      stop: 120_000,
      stopped: 90_000,
      restart: 270_000,
      freeze: 330_000,
      frozen: 60_000,
      end: 600_000,
    }
/** A letter comes so often, to any account. */
const POST_MS = SHORT ? 150 : 200
/** Every third account also sends its mail on. */
const RELAYED = 3
/** Of these answers of the SMTP server one is lost. */
const LOST_EACH = 40

const began = Date.now()
const say = (text: string): void => console.log(`${((Date.now() - began) / 1000).toFixed(1).padStart(6)} s  ${text}`)

const root = await mkdtemp(join(tmpdir(), 'popfetch-machines-'))
await using opened = new AsyncDisposableStack()
const database = opened.use(await PostgresServer.start())
const link = opened.use(await Link.to(join(database.folder, `.s.PGSQL.${database.port}`)))
const server = opened.use(await Pop3Server.start())
const sink = opened.use(await SmtpSink.start())
process.exitCode = (await soak()) ? 0 : 1
await opened.disposeAsync()
if (process.exitCode === 0 && !process.argv.includes('--keep')) await rm(root, { recursive: true, force: true })
else console.log(`kept: ${root}`)
process.exit()

async function soak(): Promise<boolean> {
  const names = Array.from({ length: ACCOUNTS }, (_, at) => `a${at}`)
  const isRelayed = (at: number): boolean => at % RELAYED === 0
  const keys = { host: server.host, port: server.port, tls: 'none', password: 'secret', delete: 'after-delivery' }
  const accounts = Object.fromEntries(
    names.map((user, at) => {
      server.mailbox(user, 'secret')
      const deliver = isRelayed(at) ? ['inbox', 'relay'] : 'inbox'
      return [user, { ...keys, user, deliver, poll: `${INTERVAL_MS / 1000}s` }]
    }),
  )
  const destinations = {
    inbox: { type: 'maildir', path: join(root, 'Mail', '{account}') },
    relay: { type: 'smtp', host: sink.host, port: sink.port, tls: 'none', to: 'a@example.com', concurrency: 10 },
  }
  const near = database.url()
  const far = `postgres://${USER}@127.0.0.1:${link.port}/postgres`
  const machines = [near, near, far].map(
    (postgres, at) => new Machine(`m${at + 1}`, root, { accounts, destinations, postgres }),
  )
  const [killed, stopped, frozen] = machines as [Machine, Machine, Machine]

  const polls = new Map<string, number[]>(names.map((name) => [name, []]))
  // A poll that was cut off is made again at once, and is no poll that keeps the interval: those that came to their end count.
  const listedMs = new WeakMap<ServedSession, number>()
  let cutOff = 0
  server.faults.onCommand = (verb, _args, session) => {
    if (verb === 'UIDL') {
      listedMs.set(session, Date.now())
      cutOff++
    }
    const beganMs = listedMs.get(session)
    if (verb === 'QUIT' && beganMs !== undefined) {
      polls.get(session.user)?.push(beganMs)
      cutOff--
      if (server.journal.length > 10_000) server.journal.length = 0
    }
    return 'serve'
  }
  let answers = 0
  let lost = 0
  const doubtful = new Set<string>()
  sink.faults.dot = ({ bytes }) => {
    const name = nameIn(bytes.toString('latin1'))
    // A letter whose answer is lost twice is left alone for longer than this lasts.
    if (++answers % LOST_EACH !== 0 || doubtful.has(name)) return null
    doubtful.add(name)
    lost++
    return 'lost'
  }

  for (const machine of machines) machine.start()
  while ([...polls.values()].some((times) => times.length === 0)) await wait(100)
  say(`all ${ACCOUNTS} accounts were polled`)
  const firstMs = Date.now()
  // From here on intervals count.
  for (const times of polls.values()) times.splice(0, times.length - 1)
  const posted = new Map<string, { relayed: boolean }>()
  const uidls = new Map<string, string>()
  const posting = setInterval(() => {
    const at = Math.floor(Math.random() * names.length)
    const name = `letter-${posted.size}`
    const text = `From: a@example.org\nMessage-ID: <${name}@example.org>\nSubject: ${name}\n\nbody\n`
    const { uidl } = server.mailbox(names[at] ?? '').add(text, { uidl: name })
    posted.set(name, { relayed: isRelayed(at) })
    uidls.set(name, uidl)
  }, POST_MS)

  await using ledger = await openPostgres(database.server('popfetch'), { readOnly: true })
  const failOvers = new Map<string, number>()
  const until = async (ms: number): Promise<void> => {
    const leftMs = firstMs + ms - Date.now()
    if (leftMs > 0) await wait(leftMs)
  }
  const measured = async (what: string, machine: Machine, act: () => Promise<unknown> | void): Promise<void> => {
    const startMs = Date.now()
    await act()
    say(what)
    while (await isAlive(ledger, machine.name)) await wait(200)
    failOvers.set(what, Date.now() - startMs)
    say(`others may have what ${machine.name} had, after ${((Date.now() - startMs) / 1000).toFixed(1)} s`)
  }

  await until(PLAN_MS.kill)
  await measured(`${killed.name} is killed`, killed, () => killed.end('SIGKILL'))
  await until(PLAN_MS.kill + PLAN_MS.down)
  killed.start()
  await until(PLAN_MS.stop)
  await measured(`${stopped.name} is stopped`, stopped, () => stopped.signal('SIGSTOP'))
  await until(PLAN_MS.stop + PLAN_MS.stopped)
  stopped.signal('SIGCONT')
  say(`${stopped.name} goes on`)
  await until(PLAN_MS.restart)
  await database.stop('fast')
  await database.run()
  say('the database was restarted')
  await until(PLAN_MS.freeze)
  await measured(`the line of ${frozen.name} freezes`, frozen, () => link.freeze())
  await until(PLAN_MS.freeze + PLAN_MS.frozen)
  link.thaw()
  say(`the line of ${frozen.name} thaws`)
  await until(PLAN_MS.end)
  const endMs = Date.now()
  clearInterval(posting)
  const shown = (await ledger.workers()).filter(({ sinceMs }) => sinceMs !== null).map(({ machine }) => machine)
  say(`at work at the end: ${shown.join(', ')}; what is left is fetched`)
  const timely = new Map([...polls].map(([name, times]) => [name, [...times]]))
  sink.faults.dot = null
  const deadlineMs = Date.now() + 3 * INTERVAL_MS + 60_000
  while (Date.now() < deadlineMs && [...server.mailboxes.values()].some(({ messages }) => messages.length > 0))
    await wait(500)
  const left = [...server.mailboxes.values()].reduce((sum, { messages }) => sum + messages.length, 0)
  const survived = machines.every((machine) => machine.isRunning)
  const usedMs = machines.reduce((sum, machine) => sum + machine.usedMs, 0)
  const codes = await Promise.all(machines.map((machine) => machine.end('SIGTERM')))

  const told = new Map<string, number>()
  const count = (name: string, times = 1): void => void told.set(name, (told.get(name) ?? 0) + times)
  for (const { kind, uidl } of machines.flatMap(({ lines }) => lines))
    if (kind === 'possibleDuplicate' && typeof uidl === 'string') count(uidl)
  const unknown = database.sql(
    "SELECT convert_from(m.uidl, 'UTF8') || ' ' || d.unknowns FROM popfetch.delivery d JOIN popfetch.message m USING (account, row) WHERE d.unknowns > 0",
  )
  for (const line of unknown.split('\n')) {
    const [name = '', times = '0'] = line.split(' ')
    if ((told.get(name) ?? 0) < Number(times)) told.set(name, Number(times))
  }
  const sent = counted(sink.messages.map(({ bytes }) => nameIn(bytes.toString('latin1'))))
  const kept = counted(await inMaildirs(names))
  const verdicts = judge({
    intervalMs: INTERVAL_MS,
    short: SHORT,
    polls: timely,
    endMs,
    posted,
    kept,
    sent,
    told,
    failOvers,
  })
  const all = [...timely.values()].reduce((sum, times) => sum + times.length, 0)
  console.log(
    `${all} polls, ${(usedMs / all).toFixed(1)} ms of CPU a poll, deliveries and starts included; ${cutOff} polls cut off, ${lost} answers lost`,
  )
  const ends = [
    { what: 'the server has nothing left', holds: left === 0, figures: `${left} letters` },
    { what: 'all machines lived', holds: survived && shown.length === 3, figures: `ended with ${codes.join(', ')}` },
  ]
  for (const { what, holds, figures } of [...verdicts, ...ends])
    console.log(`${holds ? 'ok  ' : 'FAIL'} ${what}: ${figures}`)
  for (const machine of machines) if (machine.output !== '') console.log(`${machine.name} printed:\n${machine.output}`)
  return [...verdicts, ...ends].every(({ holds }) => holds)
}

/** Has the ledger a living process of that machine? While the database is away nobody knows. */
async function isAlive(ledger: Ledger, name: string): Promise<boolean> {
  const workers = await ledger.workers()
  return workers.some(({ machine }) => machine === name)
}

function nameIn(text: string): string {
  return /^Subject: (letter-\d+)/m.exec(text)?.[1] ?? 'no letter of ours'
}

function counted(names: readonly string[]): ReadonlyMap<string, number> {
  return new Map([...Map.groupBy(names, (name) => name)].map(([name, same]) => [name, same.length]))
}

async function inMaildirs(names: readonly string[]): Promise<readonly string[]> {
  const found: string[] = []
  for (const name of names) {
    for (const folder of ['new', 'cur']) {
      const directory = join(root, 'Mail', name, folder)
      const files = await readdir(directory).catch(() => [])
      for (const file of files) found.push(nameIn(await readFile(join(directory, file), 'latin1')))
    }
  }
  return found
}
