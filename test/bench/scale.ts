// Thousands of accounts in one process: how long reading them takes, and what a daemon costs that polls each of them again and
// again and finds nothing, while people and programs look at its page. It is reloaded once. The server is a thread of this process, as
// plain as can be. No peer takes part.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { appendFile, mkdir, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { judged, type Judged, startForeground, startIdleServer } from './foreground.ts'
import { freePort, quantile, residentMegabytes, sumOf } from './daemon.ts'
import { loopDelay, loopDelayIn } from './instrument.ts'
import { measure } from './measure.ts'
import { popfetchCommand } from './peers.ts'

const LOAD_LIMIT_S = 2
/** What a connection or a health check may wait. */
const STANDSTILL_LIMIT_MS = 100
/** People and programs look so often. */
const LOOK_S = 30
const LOOKED_AT = ['/', '/?page=7', '/?q=customer-77', '/status.json', '/metrics', '/healthz', '/livez']

export interface Size {
  readonly name: string
  readonly title: string
  readonly accounts: number
  readonly interval: string
  /** Two rounds and more: the first is spread by the start, the others show what goes on. */
  readonly seconds: number
  readonly memoryLimitMb: number
}

export const scaleCases: readonly Size[] = [
  {
    name: 'scale',
    title: '10000 accounts every 5 minutes, nothing new, for 10 minutes',
    accounts: 10_000,
    interval: '5m',
    seconds: 600,
    memoryLimitMb: 300,
  },
  {
    name: 'five-thousand',
    title: '5000 accounts every minute, nothing new, for 3 minutes',
    accounts: 5_000,
    interval: '1m',
    seconds: 180,
    memoryLimitMb: 250,
  },
]

/** `directory`: for its files. */
export async function measureScale(
  directory: string,
  { name, title, accounts, interval, seconds, memoryLimitMb }: Size,
): Promise<Judged> {
  await mkdir(directory, { recursive: true })
  await using server = await startIdleServer(0)
  const file = join(directory, 'config.yaml')
  const httpPort = await freePort()
  await writeFile(file, configuration(server.port, httpPort, accounts, interval), { mode: 0o600 })
  const check = popfetchCommand(directory, '--config', file, 'config', 'check')
  const loads: number[] = []
  for (let at = 0; at < 3; at++) loads.push((await measure(check, 120_000)).seconds)
  const loadSeconds = Math.min(...loads)
  const told = await watch(directory, { file, httpPort, seconds, polls: () => server.sessions })
  console.log(`\n${title}  [${name}]`)
  console.log(`  config check: ${loadSeconds.toFixed(2)} s`)
  console.log(`  up after ${told.upSeconds.toFixed(2)} s of CPU ${told.upCpuSeconds.toFixed(2)} s`)
  console.log(
    `  memory: ${told.memoryAtStart} MB at start, ${told.memoryPeak} MB at most, ${told.memoryAtEnd} MB at the end`,
  )
  console.log(`  ${told.polls} polls, ${told.failed} failed, at most ${told.mostInSecond} of them in one second`)
  console.log(
    `  CPU of an idle poll: ${told.cpuMsPerPoll.toFixed(2)} ms; the page: ${told.pageMs} ms, ${told.pageKilobytes} kB`,
  )
  console.log(`  late by: half of them at most ${told.median} s, 99 of 100 at most ${told.worst} s`)
  console.log(
    `  the longest pause of the event loop: ${told.standstillMs.toFixed(0)} ms; of its own work in one: ${told.ownWorkMs.toFixed(0)} ms`,
  )
  const failures = [
    ...(loadSeconds > LOAD_LIMIT_S ? [`reading the configuration takes more than ${LOAD_LIMIT_S} s`] : []),
    ...(told.memoryPeak > memoryLimitMb ? [`memory above ${memoryLimitMb} MB`] : []),
    ...(told.standstillMs > STANDSTILL_LIMIT_MS
      ? [`the event loop paused for more than ${STANDSTILL_LIMIT_MS} ms`]
      : []),
    ...(told.failed > 0 ? ['polls failed'] : []),
  ]
  return judged({ name, title }, failures, { loadSeconds, ...told })
}

interface Watched {
  readonly file: string
  readonly httpPort: number
  readonly seconds: number
  /** How many there were until now. */
  readonly polls: () => number
}

async function watch(directory: string, { file, httpPort, seconds, polls: pollsNow }: Watched) {
  const delayFile = join(directory, 'delay')
  const startedMs = performance.now()
  const env = { ...process.env, LOOP_DELAY_FILE: delayFile }
  await using daemon = startForeground(directory, file, { env, node: loopDelay() })
  const { pid } = daemon
  const ask = async (path: string): Promise<string> => await (await fetch(`http://127.0.0.1:${httpPort}${path}`)).text()
  while (!daemon.isGone && (await ask('/livez').catch(() => null)) === null) await wait(50)
  const upSeconds = (performance.now() - startedMs) / 1000
  const upCpuSeconds = cpuSeconds(pid)
  const memory: number[] = [residentMegabytes(pid)]
  const half = Math.floor(seconds / 2)
  let [cpuHalf, pollsHalf, mostInSecond, before] = [0, 0, 0, 0]
  for (let second = 0; second < seconds && !daemon.isGone; second++) {
    await wait(1000)
    memory.push(residentMegabytes(pid))
    const polls = pollsNow()
    mostInSecond = Math.max(mostInSecond, polls - before)
    before = polls
    // The second half is quiet: what idle polls cost is measured there.
    if (second < half && second % LOOK_S === LOOK_S - 1) for (const path of LOOKED_AT) await ask(path)
    if (second === Math.floor(half / 2)) await reload(file)
    if (second === half) [cpuHalf, pollsHalf] = [cpuSeconds(pid), polls]
  }
  const cpuMsPerPoll = (1000 * (cpuSeconds(pid) - cpuHalf)) / Math.max(1, before - pollsHalf)
  const metrics = await ask('/metrics')
  const askedMs = performance.now()
  const page = await ask('/')
  const pageMs = Math.round(performance.now() - askedMs)
  const memoryPeak = highWaterMegabytes(pid)
  await daemon.stop()
  return {
    upSeconds,
    upCpuSeconds,
    memoryAtStart: memory[0] ?? 0,
    memoryPeak,
    memoryAtEnd: memory.at(-1) ?? 0,
    polls: sumOf(metrics, 'popfetch_polls_total'),
    failed: sumOf(metrics, 'popfetch_failures_total'),
    mostInSecond,
    cpuMsPerPoll,
    median: quantile(metrics, 0.5),
    worst: quantile(metrics, 0.99),
    pageMs,
    pageKilobytes: Math.round(page.length / 1000),
    ...(await standstill(delayFile)),
  }
}

async function standstill(file: string) {
  const { longestMs, ownMs } = await loopDelayIn(file)
  return { standstillMs: longestMs, ownWorkMs: ownMs }
}

/** The file is not the same any more, though nothing in it is. */
async function reload(file: string): Promise<void> {
  await appendFile(file, '# looked through\n')
  const { program, args, directory } = popfetchCommand(dirname(file), '--config', file, 'reload')
  const asked = spawn(program, args, { cwd: directory, stdio: 'ignore' })
  await once(asked, 'exit')
}

/** The most that it ever had, between two looks too. */
function highWaterMegabytes(pid: number): number {
  const kilobytes = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]
  return Math.round(Number(kilobytes) / 1000)
}

/** As a hoster has them: each account with a mailbox, a password and a folder of its own. */
function configuration(port: number, httpPort: number, accounts: number, interval: string): string {
  const lines = [
    'accounts:',
    ...Array.from({ length: accounts }, (_, at) =>
      [
        `  customer-${at}:`,
        '    host: 127.0.0.1',
        `    user: customer-${at}@example.org`,
        `    password: secret-of-customer-${at}`,
      ].join('\n'),
    ),
    `defaults: { port: ${port}, tls: none, deliver: inbox, first: new, poll: ${interval} }`,
    'destinations:',
    '  inbox: { type: maildir, path: "Mail/{account}" }',
    'state: state.db',
    `daemon: { http: "127.0.0.1:${httpPort}" }`,
  ]
  return `${lines.join('\n')}\n`
}

function cpuSeconds(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ').at(-1)?.split(' ') ?? []
  return (Number(fields[11]) + Number(fields[12])) / 100
}
