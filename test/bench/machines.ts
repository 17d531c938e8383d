// The ledger in a file and in PostgreSQL, side by side, each on a real disk: messages begun and settled per second, one mailbox
// fetched on either road, and mailboxes far away shared by one, two and three daemons on one database. No peer takes part.
import { mkdir, readdir, writeFile } from 'node:fs/promises'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import type { Ledger } from '../../src/ledger/ledger.ts'
import { openPostgres } from '../../src/ledger/postgres/open.ts'
import { openLedger } from '../../src/ledger/sqlite/open.ts'
import { startDovecot, type Dovecot } from '../servers/dovecot.ts'
import { makeMessage } from '../servers/mail.ts'
import { PostgresServer } from '../support/postgres-server.ts'
import { onDisk, type Disk } from './disk.ts'
import { type Foreground, judged, type Judged, startForeground, until } from './foreground.ts'
import { fill } from './mailboxes.ts'
import { measure } from './measure.ts'
import { cpuByKind } from './process-cpu.ts'
import { popfetchCommand } from './peers.ts'
import { startProxy } from './proxy.ts'
import { median, noise } from './statistics.ts'

export const machinesCase = {
  name: 'machines',
  title: 'the ledger in a file and in PostgreSQL, on disk; one, two and three daemons on one database',
} as const

/** DESIGN, "Done when" of many machines. */
const LEAST_SHARE = 0.5
/** Of three times the speed of one. */
const LEAST_OF_LINEAR = 0.8

const ROADS = ['usual', 'lane'] as const
const KINDS = ['sqlite', 'postgres'] as const
type Kind = (typeof KINDS)[number]

const MESSAGES = 5000
/** The second one has to wait for most of its time: whether anything but the processors keeps daemons from helping each other. Its
 *  mailboxes are as many for each of one, two and three daemons. */
const FAR = [
  { name: 'far', mailboxes: 40, messages: 100, roundTripMs: 50, atOnce: 4 },
  { name: 'farther', mailboxes: 48, messages: 20, roundTripMs: 200, atOnce: 4 },
] as const
type Far = (typeof FAR)[number]
/** A daemon that met another one at an account asks again within so long. */
const CALM_MS = 8000
const LIMIT_MS = 300_000

/** `directory`: in memory. `kept`: on disk. */
export async function measureMachines(directory: string, kept: string, runs: number): Promise<Judged> {
  await mkdir(directory, { recursive: true })
  await using stack = new AsyncDisposableStack()
  const disk = stack.use(await onDisk(kept))
  const database = stack.use(await PostgresServer.start({ durable: true }))
  const dovecot = stack.use(await startDovecot({ parent: directory, mechanisms: ['plain'], flagUpdates: false }))
  console.log(`\n${machinesCase.title}  [${machinesCase.name}]`)
  const scene = { directory, disk, database, dovecot, runs }
  const [rates, roads] = [await ledgerRates(scene), await mailbox(scene)]
  const daemons: Record<string, readonly number[]> = {}
  for (const far of FAR) daemons[far.name] = await shared(scene, far)
  return judged(machinesCase, failuresOf(roads, daemons), { ...rates, roads, daemons })
}

interface Scene {
  readonly directory: string
  readonly disk: Disk
  readonly database: PostgresServer
  readonly dovecot: Dovecot
  readonly runs: number
}

function failuresOf(
  roads: Readonly<Record<string, number>>,
  daemons: Readonly<Record<string, readonly number[]>>,
): readonly string[] {
  const failures = [
    ...Object.entries(roads).flatMap(([road, share]) =>
      share >= LEAST_SHARE ? [] : [`PostgreSQL has ${share.toFixed(2)} of the file's rate on the road ${road}`],
    ),
    ...Object.entries(daemons).flatMap(([name, [one = NaN, , three = NaN]]) =>
      one / three >= 3 * LEAST_OF_LINEAR
        ? []
        : [`${name}: three daemons are ${(one / three).toFixed(2)} times as fast as one`],
    ),
  ]
  return failures
}

/** Messages begun and settled per second, in hundreds, by one account and by eight. */
async function ledgerRates({ disk, database, runs }: Scene) {
  const file = await openLedger(join(disk.directory, 'rates.db'))
  const postgres = await openPostgres(database.server('rates'))
  const ledgers: Readonly<Record<Kind, Ledger>> = { sqlite: file, postgres }
  const found: Record<string, number> = {}
  for (const accounts of [1, 8]) {
    const rates: Record<Kind, number[]> = { sqlite: [], postgres: [] }
    for (let run = 0; run < runs; run++)
      for (const kind of KINDS) rates[kind].push(await rateOf(ledgers[kind], accounts, run))
    for (const kind of KINDS) {
      found[`${kind} ${accounts}`] = median(rates[kind])
      console.log(
        `  begun and settled by ${accounts} at once, 100 together: ${kind} ${median(rates[kind]).toFixed(0)}/s ± ${noise(rates[kind]).toFixed(0)}`,
      )
    }
  }
  await file[Symbol.asyncDispose]()
  await postgres[Symbol.asyncDispose]()
  return { rates: found }
}

async function rateOf(ledger: Ledger, accounts: number, run: number): Promise<number> {
  const target = { destination: 'inbox', recipient: '' }
  const outcome = { state: 'done', receipt: '/home/alice/Mail/new/1700000000.K0123456789abcdefI0.host,S=4096' } as const
  const rounds = 20
  const one = async (account: number): Promise<void> => {
    await using lease = await ledger.lease(`a${account}`)
    if (lease === null) throw new Error('somebody else has the account')
    await ledger.admit(lease, { host: 'h', port: 995, user: `a${account}` })
    for (let round = 0; round < rounds; round++) {
      const keys = Array.from({ length: 100 }, (_, at) => ({ uidl: `${run} ${round} ${at}`, copy: 0 }))
      const deliveries = [{ ...target, intent: '0123456789abcdef' }]
      await ledger.begin(
        lease,
        keys.map((key) => ({ key, listedBytes: 4096, deliveries })),
      )
      await Promise.all(keys.map((key) => ledger.settle(lease, { key, ...target, outcome, received: null })))
    }
  }
  const begunMs = performance.now()
  await Promise.all(Array.from({ length: accounts }, (_, at) => one(at)))
  return (accounts * rounds * 100) / ((performance.now() - begunMs) / 1000)
}

/** The share of the file's rate that PostgreSQL has, by road. */
async function mailbox({ directory, disk, database, dovecot, runs }: Scene): Promise<Readonly<Record<string, number>>> {
  await fill(dovecot, { name: 'one', mailboxes: 1, messages: MESSAGES, sizeBytes: 4096 })
  const shares: Record<string, number> = {}
  let last = 0
  for (const road of ROADS) {
    const seconds: Record<Kind, number[]> = { sqlite: [], postgres: [] }
    for (let run = -1; run < runs; run++) {
      for (const kind of KINDS) {
        const place = join(disk.directory, `${road}-${kind}-${run}`)
        await mkdir(place)
        const config = join(place, 'config.json')
        const account = {
          host: 'localhost',
          port: dovecot.pop3Port,
          tls: 'none',
          user: 'one',
          password: dovecot.password,
        }
        const state = kind === 'sqlite' ? join(place, 'state.db') : { postgres: database.url(), schema: `m${++last}` }
        const deliver = `maildir:${join(place, 'Mail')}`
        const accounts = { one: { ...account, first: 'all', deliver } }
        await writeFile(config, JSON.stringify({ state, accounts }), { mode: 0o600 })
        const command = popfetchCommand(directory, '--config', config)
        await disk.settled()
        const usage = await measure({ ...command, environment: { POPFETCH_ROAD: road } }, LIMIT_MS)
        if ((await arrived(join(place, 'Mail'))) !== MESSAGES) throw new Error(`${road}, ${kind}: not all mail arrived`)
        // The first of each makes what is kept for the next start.
        if (run >= 0) seconds[kind].push(usage.seconds)
      }
    }
    shares[road] = median(seconds.sqlite) / median(seconds.postgres)
    for (const kind of KINDS)
      console.log(
        `  ${MESSAGES} × 4 kB, road ${road}: ${kind} ${median(seconds[kind]).toFixed(2)} s ± ${noise(seconds[kind]).toFixed(2)}`,
      )
    console.log(`  of the file's rate PostgreSQL has ${shares[road].toFixed(2)} on the road ${road}`)
  }
  return shares
}

async function arrived(maildir: string): Promise<number> {
  return (await readdir(join(maildir, 'new')).catch(() => [])).length
}

/** Seconds until all is there, by the number of daemons, each of which polls a few at once: what is waited for is the line. */
async function shared({ directory, disk, database, dovecot }: Scene, far: Far): Promise<readonly number[]> {
  const { name, mailboxes, messages, roundTripMs, atOnce } = far
  await using proxy = await startProxy(dovecot.pop3Port, roundTripMs, directory)
  const found: number[] = []
  for (const count of [1, 2, 3]) {
    const place = join(disk.directory, `${name}-${count}`)
    const users = Array.from({ length: mailboxes }, (_, at) => `${name}-${count}-${at}`)
    const schema = `${name}_${count}`
    const mail = join(place, 'Mail')
    await fill(dovecot, { name: `${name}-${count}`, mailboxes, messages: 1, sizeBytes: 4096 })
    const configure = async (machine: string): Promise<string> => {
      // In memory: the path of a socket is short.
      const home = join(directory, `${name}${count}`, machine)
      await mkdir(home, { recursive: true, mode: 0o700 })
      const account = { host: 'localhost', port: proxy.port, tls: 'none', password: dovecot.password }
      const accounts = users.map((user) => [
        user,
        { ...account, user, first: 'all', deliver: `maildir:${mail}`, poll: '1h' },
      ])
      const state = { postgres: database.url(), schema }
      const whole = {
        state,
        concurrency: atOnce,
        daemon: { machine },
        accounts: Object.fromEntries(accounts) as object,
      }
      await writeFile(join(home, 'config.json'), JSON.stringify(whole), { mode: 0o600 })
      return home
    }
    await using stack = new AsyncDisposableStack()
    const daemons: Foreground[] = []
    for (let machine = 0; machine < count; machine++) daemons.push(stack.use(daemonAt(await configure(`m${machine}`))))
    await until(() => polledIn(database, schema) === mailboxes, LIMIT_MS)
    for (const user of users) await dovecot.seed(user, messages, (index) => makeMessage(index, 4096))
    await wait(CALM_MS)
    // From a machine without a daemon, so that it reaches all of them alike.
    const other = stack.use(await openPostgres(database.server(schema)))
    const before = cpuByKind(kindOf)
    const begunMs = performance.now()
    await other.wake(users)
    await until(async () => (await arrived(mail)) === mailboxes * (messages + 1), LIMIT_MS)
    const seconds = (performance.now() - begunMs) / 1000
    const processors = cpuText(before, seconds)
    await Promise.all(daemons.map((daemon) => daemon.stop()))
    found.push(seconds)
    const faster = (found[0] ?? NaN) / seconds
    console.log(
      `  ${mailboxes} mailboxes of ${messages}, ${roundTripMs} ms away, ${atOnce} at once in each of ${count}: ${seconds.toFixed(1)} s, ${faster.toFixed(2)} times as fast as one; ${processors}`,
    )
  }
  return found
}

function kindOf(command: string): string | null {
  if (command.includes('--daemon')) return 'daemons'
  return ['postgres', 'dovecot', 'proxy.ts'].find((name) => command.includes(name)) ?? null
}

/** Who was at work since then, and how much of all processors that took. */
function cpuText(before: ReadonlyMap<string, number>, seconds: number): string {
  const used = [...cpuByKind(kindOf)].map(([kind, now]) => [kind, now - (before.get(kind) ?? 0)] as const)
  const sum = used.reduce((all, [, each]) => all + each, 0)
  const share = (100 * sum) / (seconds * availableParallelism())
  return `CPU ${used.map(([kind, each]) => `${kind} ${each.toFixed(1)}`).join(', ')} s: ${share.toFixed(0)} % of the processors`
}

/** Accounts that were polled; before there is a ledger, none. */
function polledIn(database: PostgresServer, schema: string): number {
  const there = database.sql(`SELECT to_regclass('${schema}.account') IS NOT NULL`)
  if (there !== 't') return 0
  return Number(database.sql(`SELECT count(*) FROM ${schema}.account WHERE last_success_ms IS NOT NULL`))
}

function daemonAt(home: string): Foreground {
  const env = { PATH: process.env['PATH'], HOME: home, XDG_RUNTIME_DIR: home }
  return startForeground(home, join(home, 'config.json'), { env })
}
