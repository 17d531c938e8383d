// Many mailboxes shared by the processes of one daemon (`--workers`), with the ledger in a file and in PostgreSQL: how long and how much
// processor time one and two take for the first mail of all of them, what memory each needs, and what becomes of it when one of two is
// killed in the middle. The server is a thread of this process, so it takes part of the machine. No peer takes part.
import { readFileSync } from 'node:fs'
import { mkdir, readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { PostgresServer } from '../support/postgres-server.ts'
import { residentMegabytes } from './daemon.ts'
import { childrenOf, judged, type Judged, startForeground, startIdleServer, until } from './foreground.ts'
import { measure } from './measure.ts'
import { popfetchCommand } from './peers.ts'

export const workersCase = {
  name: 'workers',
  title: '1000 mailboxes of 5 messages, by one and two processes of a daemon, on either ledger; one of two killed',
} as const

const ACCOUNTS = 1000
const MESSAGES = 5
const ALL = ACCOUNTS * MESSAGES
const KINDS = ['sqlite', 'postgres'] as const
const LIMIT_MS = 300_000
/** DESIGN 4.6: whatever a process had is taken over by then. */
const TAKEN_OVER_LIMIT_S = 30

interface Told {
  readonly seconds: number
  readonly cpuSeconds: number
  readonly memoryMb: readonly number[]
  /** Letters that came more than once. */
  readonly twice: number
}

/** `directory`: for its files. */
export async function measureWorkers(directory: string): Promise<Judged> {
  await mkdir(directory, { recursive: true })
  await using database = await PostgresServer.start({ durable: true })
  await using server = await startIdleServer(MESSAGES)
  console.log(`\n${workersCase.title}  [${workersCase.name}]`)
  const rows: Record<string, Told> = {}
  for (const kind of KINDS) {
    for (const [processes, isKilled] of [[1], [2], [2, true]] as const) {
      const name = `${kind} ${processes}${isKilled === true ? ' killed' : ''}`
      // The path of a socket is short.
      const place = join(directory, String(Object.keys(rows).length))
      const state =
        kind === 'sqlite' ? 'state.db' : { postgres: database.url(), schema: `w${Object.keys(rows).length}` }
      const told = await run(place, { port: server.port, state, processes, isKilled: isKilled === true })
      rows[name] = told
      console.log(
        `  ${name}: ${told.seconds.toFixed(1)} s, ${(ALL / told.seconds).toFixed(0)} messages/s, CPU ${told.cpuSeconds.toFixed(1)} s, memory ${told.memoryMb.join(' and ')} MB, ${told.twice} twice`,
      )
    }
  }
  const slower = (name: string): number => (rows[`${name} killed`]?.seconds ?? NaN) - (rows[name]?.seconds ?? NaN)
  const failures = [
    ...Object.entries(rows).flatMap(([name, { twice }]) => (twice > 0 ? [`${name}: letters came twice`] : [])),
    ...KINDS.flatMap((kind) =>
      slower(`${kind} 2`) > TAKEN_OVER_LIMIT_S ? [`${kind}: what a killed process had was taken over late`] : [],
    ),
  ]
  return judged(workersCase, failures, { rows })
}

interface Run {
  readonly port: number
  readonly state: unknown
  readonly processes: number
  readonly isKilled: boolean
}

async function run(place: string, { port, state, processes, isKilled }: Run): Promise<Told> {
  await mkdir(place, { mode: 0o700 })
  const config = join(place, 'config.json')
  const names = Array.from({ length: ACCOUNTS }, (_, at) => `customer-${at}`)
  const account = (user: string): object => ({ user, password: `secret-of-${user}` })
  const defaults = { host: '127.0.0.1', port, tls: 'none', first: 'all', deliver: 'maildir:Mail/{account}', poll: '1h' }
  // It is one server: without more places all processes together would wait for eight.
  const accounts = Object.fromEntries(names.map((name) => [name, account(name)]))
  await writeFile(config, JSON.stringify({ state, defaults, perHost: 64, accounts }), { mode: 0o600 })
  const many = processes === 1 ? [] : ['--workers', String(processes)]
  const environment = { PATH: process.env['PATH'] ?? '', HOME: place, XDG_RUNTIME_DIR: place }
  const popfetch = (...args: string[]) => ({ ...popfetchCommand(place, '--config', config, ...args), environment })
  await using daemon = startForeground(place, config, { env: environment }, ...many)
  const pids = (): readonly number[] => [daemon.pid, ...childrenOf(daemon.pid)]
  // A ledger that is not there yet cannot be read.
  const status = { ...popfetch('status', '--json'), success: [0, 74] }
  await until(async () => (await measure(status, LIMIT_MS)).printed.includes('"running":true'), LIMIT_MS)
  await until(() => pids().length === processes, LIMIT_MS)
  const [beganMs, beganCpu] = [performance.now(), cpuOf(pids())]
  let gone = 0
  let isDone = !isKilled
  let memoryMb: readonly number[] = []
  const allHere = async (): Promise<Pick<Told, 'seconds' | 'cpuSeconds'>> => {
    await until(async () => {
      const letters = await arrived(place)
      const [, other] = pids()
      if (!isDone && letters > ALL / 4 && other !== undefined) {
        isDone = true
        gone = cpuOf([other])
        process.kill(other, 'SIGKILL')
      }
      memoryMb = pids().map(residentMegabytes)
      return letters >= ALL
    }, LIMIT_MS)
    return { seconds: (performance.now() - beganMs) / 1000, cpuSeconds: cpuOf(pids()) + gone - beganCpu }
  }
  // Whichever of them fails ends the row, and the daemon with it.
  const [taken] = await Promise.all([allHere(), measure(popfetch('wake'), LIMIT_MS)])
  await daemon.stop()
  return { ...taken, memoryMb, twice: (await arrived(place)) - ALL }
}

async function arrived(place: string): Promise<number> {
  const folders = await readdir(join(place, 'Mail')).catch(() => [])
  const counts = await Promise.all(folders.map((name) => readdir(join(place, 'Mail', name, 'new')).catch(() => [])))
  return counts.reduce((sum, { length }) => sum + length, 0)
}

function cpuOf(pids: readonly number[]): number {
  return pids.reduce((sum, pid) => {
    try {
      const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ').at(-1)?.split(' ') ?? []
      return sum + (Number(fields[11]) + Number(fields[12])) / 100
    } catch {
      return sum
    }
  }, 0)
}
