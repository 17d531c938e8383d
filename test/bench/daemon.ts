// The daemon under load: 500 accounts on a ten second interval for two minutes, against the fake server, in one
// process of the built program. What counts: its memory, how late polls begin against their plan, and that mail arrives.
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { mkdir, readdir, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { Pop3Server } from '../support/pop3-server.ts'
import { judged, type Judged, startForeground } from './foreground.ts'

const ACCOUNTS = 500
const SECONDS = 120
/** New mail, over all accounts: 20 a second keeps every poll of the ledger and the Maildir busy. */
const MESSAGES_PER_SECOND = 20
const MEMORY_LIMIT_MB = 200
const LATENESS_LIMIT_S = 1

export const daemonCase = {
  name: 'daemon',
  title: `the daemon: ${ACCOUNTS} accounts every 10 s for ${SECONDS / 60} minutes`,
}

/** `directory`: for its files. */
export async function measureDaemon(directory: string): Promise<Judged> {
  await mkdir(directory, { recursive: true })
  await using server = await Pop3Server.start()
  for (let at = 0; at < ACCOUNTS; at++) server.mailbox(`user${at}`, 'secret')
  const port = await freePort()
  const file = join(directory, 'config.json')
  await writeFile(file, JSON.stringify(configuration(server, port)), { mode: 0o600 })
  await using daemon = startForeground(directory, file, { env: process.env })
  let posted = 0
  const memory: number[] = []
  for (let second = 0; second < SECONDS; second++) {
    for (let each = 0; each < MESSAGES_PER_SECOND; each++) {
      const at = posted++ % ACCOUNTS
      server.mailbox(`user${at}`).add(`From: a@example.org\nSubject: ${posted}\n\n${'text '.repeat(200)}\n`, {
        uidl: `uid-${posted}`,
      })
    }
    await wait(1000)
    // Its entries would be all that grows here.
    server.journal.length = 0
    memory.push(residentMegabytes(daemon.pid))
  }
  const metrics = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text()
  const arrived = (await readdir(join(directory, 'Mail', 'new'))).length
  await daemon.stop()
  return judgedBy({ metrics, memory, posted, arrived })
}

function configuration({ host, port }: Pop3Server, metricsPort: number): object {
  const keys = { host, port, tls: 'none', password: 'secret', deliver: 'inbox', poll: '10s' }
  const users = Array.from({ length: ACCOUNTS }, (_, at) => `user${at}`)
  return {
    accounts: Object.fromEntries(users.map((user) => [user, { ...keys, user }])),
    destinations: { inbox: { type: 'maildir', path: 'Mail' } },
    state: 'state.db',
    daemon: { http: `127.0.0.1:${metricsPort}` },
  }
}

interface Measured {
  readonly metrics: string
  readonly memory: readonly number[]
  readonly posted: number
  readonly arrived: number
}

function judgedBy({
  metrics,
  memory,
  posted,
  arrived,
}: Measured): Judged &
  Readonly<Record<'polls' | 'failed' | 'arrived' | 'posted' | 'peak' | 'growth' | 'median' | 'worst', number>> {
  const half = memory.slice(memory.length / 2)
  const peak = Math.max(...memory)
  const growth = (half.at(-1) ?? 0) - (half[0] ?? 0)
  const polls = sumOf(metrics, 'popfetch_polls_total')
  const failed = sumOf(metrics, 'popfetch_failures_total')
  const late = [0.5, 0.99].map((share) => quantile(metrics, share))
  const [median = Infinity, worst = Infinity] = late
  console.log(`\n${daemonCase.title}  [${daemonCase.name}]`)
  console.log(`  ${polls} polls, ${failed} failed; ${arrived} of ${posted} messages arrived`)
  console.log(`  memory: ${peak} MB at most, ${growth >= 0 ? '+' : ''}${growth} MB in the second half`)
  console.log(`  polls began late by: half of them at most ${median} s, 99 of 100 at most ${worst} s`)
  const failures = [
    ...(peak > MEMORY_LIMIT_MB ? [`memory above ${MEMORY_LIMIT_MB} MB`] : []),
    ...(median > LATENESS_LIMIT_S ? [`median lateness above ${LATENESS_LIMIT_S} s`] : []),
    // The last ten seconds' mail waits for its poll.
    ...(posted - arrived > MESSAGES_PER_SECOND * 15 ? ['mail did not arrive'] : []),
    ...(failed > 0 ? ['polls failed'] : []),
  ]
  const told = { polls, failed, arrived, posted, peak, growth, median, worst }
  return judged(daemonCase, failures, told)
}

export function sumOf(metrics: string, name: string): number {
  const lines = metrics.split('\n').filter((line) => line.startsWith(`${name}{`))
  return lines.reduce((sum, line) => sum + Number(line.split(' ').at(-1)), 0)
}

/** The bound of the bucket below which that share of all polls lies. */
export function quantile(metrics: string, share: number): number {
  const name = 'popfetch_poll_lateness_seconds'
  const total = Number(new RegExp(`^${name}_count (\\d+)$`, 'm').exec(metrics)?.[1])
  const buckets = [...metrics.matchAll(new RegExp(`^${name}_bucket\\{le="([^"]+)"\\} (\\d+)$`, 'gm'))]
  const found = buckets.find(([, , count]) => Number(count) >= total * share)
  return found?.[1] === undefined || found[1] === '+Inf' ? Infinity : Number(found[1])
}

export function residentMegabytes(pid: number): number {
  const kilobytes = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]
  return Math.round(Number(kilobytes) / 1000)
}

export async function freePort(): Promise<number> {
  const server = createServer()
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  server.close()
  return typeof address === 'object' && address !== null ? address.port : 0
}
