// `npm run bench`: popfetch and the peers found installed, side by side against one private Dovecot with its mail in memory.
// Contenders take turns, so that a slow moment of the machine meets all of them; figures are medians; `±` is the distance
// between the slowest and the fastest run.
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { availableParallelism, loadavg } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { dovecotPackages, startDovecot } from '../servers/dovecot.ts'
import { postfixPackages, startSink } from '../servers/postfix.ts'
import { installed, roomyDirectory, runProgram, temporaryDirectory } from '../servers/program.ts'
import { cases, totalMessages, type Case } from './cases.ts'
import { canDo, contender, plainContender, type Contender, type Scene } from './contender.ts'
import { fill } from './mailboxes.ts'
import { daemonCase, measureDaemon } from './daemon.ts'
import type { Usage } from './measure.ts'
import { clients, popfetchCommand, type Client } from './peers.ts'
import { startProxy } from './proxy.ts'
import { figures, table, type Row } from './table.ts'

const repository = join(import.meta.dirname, '../..')
const startUp = { name: 'start', title: 'start-up' }
const quickNames = [...cases.map((each) => each.name), startUp.name]
// It takes two minutes, and no peer takes part.
const caseNames = [...quickNames, daemonCase.name]
const peerNames = clients.filter((client) => client.needs !== null).map((client) => client.name)
const packages = [...new Set(clients.flatMap((client) => client.needs?.packageName ?? []))].join(' ')

const usage = `npm run bench -- [--only CASE[,CASE…]] [--peers all|none|PEER[,PEER…]] [--runs N]

cases  ${caseNames.join(' ')}; by default all but ${daemonCase.name}
peers  ${peerNames.join(' ')}; by default those that need no minutes for the case
runs   5 by default; a run of more than 10 seconds is not repeated

apt-get install -y --no-install-recommends ${dovecotPackages} ${postfixPackages} time ${packages}
POPFETCH names a start file to measure instead of building and measuring dist/popfetch.js.`

// A client that takes that long has no need of a median, and the bench has no time for one.
const longRunSeconds = 10

const { values: options } = parseArgs({
  options: {
    only: { type: 'string', default: quickNames.join(',') },
    peers: { type: 'string', default: 'quick' },
    runs: { type: 'string', default: '5' },
    help: { type: 'boolean', default: false },
  },
})

if (options.help) console.log(usage)
else await main()

async function main(): Promise<void> {
  const chosen = options.only.split(',')
  const unknown = chosen.find((name) => !caseNames.includes(name))
  if (unknown !== undefined) throw new Error(`no case is called ${unknown}\n\n${usage}`)
  const runs = Number(options.runs)
  if (!Number.isInteger(runs) || runs < 1) throw new Error(`--runs wants a number, not ${options.runs}`)
  if (process.env['POPFETCH'] === undefined) await runProgram('npm', ['run', 'build'], repository)

  if (options.only === daemonCase.name) {
    await using own = await temporaryDirectory(await roomyDirectory(1e8))
    await save(machineNow(), [await measureDaemon(own.path)])
    return
  }
  await using dovecot = await startDovecot({
    parent: await roomyDirectory(6e9),
    mechanisms: ['plain'],
    flagUpdates: false,
  })
  await using sink = await startSink({ dump: false })
  await using memory = await temporaryDirectory(await roomyDirectory(6e9))
  const onDisk = join(repository, '.bench')
  await mkdir(onDisk, { recursive: true })
  const disk = await mkdtemp(join(onDisk, 'run-'))
  const machine = machineNow()
  console.log(`${machine}; medians of ${runs} runs`)
  const results: object[] = []
  try {
    for (const each of cases.filter(({ name }) => chosen.includes(name))) {
      await fill(dovecot, each.waiting)
      await using stack = new AsyncDisposableStack()
      const server = each.tls ? dovecot.pop3sPort : dovecot.pop3Port
      const port =
        each.roundTripMs === 0 ? server : stack.use(await startProxy(server, each.roundTripMs, memory.path)).port
      const scene: Scene = { dovecot, sink, port, directory: each.destination === 'disk' ? disk : memory.path }
      const contenders = (await takingPart(each)).map((client) => stack.use(contender(client, each, scene)))
      const reference = contenders.find(({ name }) => name === 'mpop') ?? contenders[1]
      const messages = each.measured === 'first' ? totalMessages(each.waiting) : 0
      results.push(
        report(
          each,
          await measureAll(contenders, runs),
          { messages, bytes: messages * each.waiting.sizeBytes },
          reference?.name ?? '',
        ),
      )
    }
    if (chosen.includes(startUp.name)) {
      const rows = await measureAll(startContenders(join(memory.path, 'start')), runs)
      results.push(report(startUp, rows, { messages: 0, bytes: 0 }, 'node -e 0'))
    }
    if (chosen.includes(daemonCase.name)) results.push(await measureDaemon(join(memory.path, 'daemon')))
  } finally {
    await rm(disk, { recursive: true, force: true })
  }
  await save(machine, results)
}

function machineNow(): string {
  return `Node ${process.version}, ${availableParallelism()} processors, load ${loadavg()[0]?.toFixed(1)} at the start`
}

async function save(machine: string, results: readonly object[]): Promise<void> {
  const file = join(import.meta.dirname, 'results', 'latest.json')
  await writeFile(file, `${JSON.stringify({ date: new Date().toISOString(), machine, results }, null, 2)}\n`)
  console.log(`\nfigures in ${file}`)
}

async function takingPart(each: Case): Promise<readonly Client[]> {
  const named = options.peers === 'quick' ? each.peers : options.peers === 'all' ? peerNames : options.peers.split(',')
  const present: Client[] = []
  for (const client of clients.filter((client) => canDo(client, each))) {
    if (client.needs === null) present.push(client)
    else if (named.includes(client.name)) {
      if ((await installed(client.needs.program)) === null)
        console.log(`${client.needs.program} is not installed and does not take part`)
      else present.push(client)
    }
  }
  return present
}

function startContenders(directory: string): readonly Contender[] {
  return [
    plainContender('node -e 0', directory, () => ({
      program: process.execPath,
      args: ['-e', '0'],
      directory,
      success: [0],
    })),
    plainContender('popfetch --version', directory, () => popfetchCommand(directory, '--version')),
    plainContender('popfetch --help', directory, () => popfetchCommand(directory, '--help')),
  ]
}

/** In turns. A contender that fails is out, and the others go on. */
async function measureAll(contenders: readonly Contender[], runs: number): Promise<readonly Row[]> {
  const rows = contenders.map((each) => ({ each, usages: [] as Usage[], error: null as string | null }))
  for (let round = 0; round < runs; round++) {
    for (const row of rows) {
      if (row.error !== null || (row.usages[0]?.seconds ?? 0) > longRunSeconds) continue
      await row.each.run().then(
        (result) => row.usages.push(result),
        (thrown: unknown) => {
          row.error = thrown instanceof Error ? thrown.message : String(thrown)
        },
      )
    }
  }
  return rows.map(({ each, usages, error }) => ({ name: each.name, usages, error }))
}

function report(
  each: { readonly name: string; readonly title: string },
  rows: readonly Row[],
  amount: { readonly messages: number; readonly bytes: number },
  reference: string,
): object {
  const all = figures(rows, amount, reference)
  console.log(`\n${each.title}  [${each.name}]\n${table(all, reference)}`)
  for (const row of rows) if (row.error !== null) console.log(`  ${row.name} failed: ${row.error}`)
  return { case: each.name, title: each.title, figures: all, failed: rows.filter((row) => row.error !== null) }
}
