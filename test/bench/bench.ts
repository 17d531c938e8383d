// `npm run bench`: popfetch and the peers found installed, side by side against one private Dovecot with its mail in memory.
// Figures are medians; `±` is how far one may be off, by its own runs. What the figures must come to stands
// in cases.ts, and the bench fails when they do not.
import { join } from 'node:path'
import { startDovecot, type Dovecot } from '../servers/dovecot.ts'
import { startSink, type Sink } from '../servers/postfix.ts'
import { installed, roomyDirectory, runProgram, temporaryDirectory } from '../servers/program.ts'
import { startAccounts } from './accounts.ts'
import { beyond } from './beyond.ts'
import { accounts, EMPTY_NODE, million, startUp, totalMessages, type Case, type Trial, type Waiting } from './cases.ts'
import { canDo, contender, plainContender, type Contender, type Scene } from './contender.ts'
import { daemonCase, measureDaemon } from './daemon.ts'
import { onDisk, onExt4 } from './disk.ts'
import { countExchanges } from './exchanges.ts'
import { machinesCase, measureMachines } from './machines.ts'
import { fill } from './mailboxes.ts'
import { startMillion } from './million.ts'
import { readOptions, type Options } from './options.ts'
import { othersShare, warnOfOthers } from './others.ts'
import { clients, popfetchCommand, startFile, type Client } from './peers.ts'
import { measureScale, scaleCases } from './scale.ts'
import { measureWorkers, workersCase } from './workers.ts'
import { startProxy } from './proxy.ts'
import { slowSync } from './slow-sync.ts'
import { commitOf, history, load, save, thisMachine, type CaseResult } from './results.ts'
import { figures, sampleOf, table, type Amount, type Row } from './table.ts'
import { judge, line, type Sample } from './target.ts'
import { takeTurns } from './turns.ts'

const repository = join(import.meta.dirname, '../..')
const NOTHING: Amount = { messages: 0, bytes: 0 }

// The run under way is the last one then: gigabytes of mail in memory are not to be left behind.
const stop = new AbortController()
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => stop.abort())

const options = askedFor()
if (options !== null) await (options.history === null ? bench(options) : showHistory(options.history))

/** null: nothing is to be done. */
function askedFor(): Options | null {
  try {
    return readOptions(process.argv.slice(2))
  } catch (thrown) {
    console.error(thrown instanceof Error ? thrown.message : thrown)
    process.exitCode = 64
    return null
  }
}

async function showHistory(name: string): Promise<void> {
  console.log(history(name, await load()))
}

async function bench(options: Options): Promise<void> {
  const machine = thisMachine()
  if (process.env['POPFETCH'] === undefined) await runProgram('npm', ['run', 'build'], repository)
  const { processor, processors, node, load: loadNow } = machine
  console.log(`${processors} × ${processor}, Node ${node}, load ${loadNow}; medians of ${options.runs} runs`)
  const cases: CaseResult[] = []
  // Whatever stops the bench, what was measured until then is kept.
  try {
    for await (const result of results(options)) cases.push(result)
  } catch (thrown) {
    if (!stop.signal.aborted) throw thrown
    console.log('stopped')
    process.exitCode = 75
  } finally {
    const { runs } = options
    const date = new Date().toISOString()
    if (cases.length > 0) {
      const file = await save({ date, commit: commitOf(startFile), machine, runs, cases })
      console.log(`\nfigures in ${file}`)
    }
  }
  const failures = cases.flatMap((each) => each.failures.map((failure) => `FAILED ${each.case}: ${failure}`))
  for (const failure of failures) console.log(failure)
  if (options.fails && failures.length > 0) process.exitCode = 1
}

async function* results(options: Options): AsyncGenerator<CaseResult> {
  const { cases, only } = options
  // Dovecot's mail, one delivered copy of the largest, and the small ones.
  const roomBytes = 2e9 + 2e9 * options.hugeGigabytes
  await using memory = await temporaryDirectory(await roomyDirectory(roomBytes))
  if (cases.length > 0) {
    const parent = await roomyDirectory(roomBytes)
    await using dovecot = await startDovecot({ parent, mechanisms: ['plain'], flagUpdates: false, imap: true })
    await using sink = await startSink({ dump: false })
    for (const each of cases) {
      const result = await mailCase(each, options, { dovecot, sink, directory: memory.path })
      if (result !== null) yield result
    }
  }
  if (only.includes(accounts.name)) {
    await using server = await startAccounts(memory.path)
    yield await measured(accounts, [server.contender], options, NOTHING)
  }
  if (only.includes(million.name)) {
    await using server = await startMillion(memory.path)
    yield await measured(million, [server.contender], options, NOTHING)
  }
  if (only.includes(startUp.name)) {
    const directory = join(memory.path, startUp.name)
    const commands = ['--version', '--help'].map((option) =>
      plainContender(`popfetch ${option}`, directory, () => popfetchCommand(directory, option)),
    )
    yield await measured(startUp, [emptyNode(directory), ...commands], options, NOTHING)
  }
  if (only.includes(daemonCase.name)) {
    const others = await othersShare()
    yield { ...(await measureDaemon(join(memory.path, daemonCase.name))), others }
  }
  if (only.includes(machinesCase.name)) {
    const others = await othersShare()
    const measuredNow = await measureMachines(
      join(memory.path, machinesCase.name),
      join(repository, '.bench'),
      options.runs,
    )
    yield { ...measuredNow, others }
  }
  if (only.includes(workersCase.name)) {
    const others = await othersShare()
    yield { ...(await measureWorkers(join(memory.path, workersCase.name))), others }
  }
  for (const each of scaleCases.filter(({ name }) => only.includes(name))) {
    const others = await othersShare()
    yield { ...(await measureScale(join(memory.path, each.name), each)), others }
  }
}

interface Servers {
  readonly dovecot: Dovecot
  readonly sink: Sink
  /** In memory. */
  readonly directory: string
}

/** Null: it cannot be made here. */
async function mailCase(
  each: Case,
  options: Options,
  { dovecot, sink, directory }: Servers,
): Promise<CaseResult | null> {
  await using stack = new AsyncDisposableStack()
  const kept = join(repository, '.bench')
  const disk =
    each.destination === 'disk' ? await onDisk(kept) : each.destination === 'ext4' ? await onExt4(directory) : null
  stack.use(disk)
  const environment = await slowSync(each.slowSyncUs, directory)
  if (environment === null || (each.destination === 'ext4' && disk === null)) {
    console.log(`\n${each.title}  [${each.name}]\n  cannot be measured on this machine`)
    return null
  }
  const server = each.tls ? dovecot.pop3sPort : dovecot.pop3Port
  const port = each.roundTripMs === 0 ? server : stack.use(await startProxy(server, each.roundTripMs, directory)).port
  const scene: Scene = { dovecot, sink, port, directory, disk, environment }
  const clientsHere = await takingPart(each, options)
  const contendersFor = async (waiting: Waiting): Promise<Contender[]> => {
    await fill(dovecot, waiting)
    const all: Contender[] = []
    for (const client of clientsHere) all.push(stack.use(await contender(client, { ...each, waiting }, scene)))
    return all
  }
  const contenders = await contendersFor(each.waiting)
  if (each.targets.some(({ against }) => against === EMPTY_NODE)) contenders.push(emptyNode(join(directory, 'node')))
  const counted = each.targets.some(({ quantity }) => quantity === 'exchanges') ? await countExchanges(scene) : []
  const all = each.measured === 'first' ? totalMessages(each.waiting) : 0
  if (each.beyond === null) {
    const amount = { messages: all, bytes: all * each.waiting.sizeBytes }
    return await measured(each, contenders, options, amount, { counted })
  }
  const more = await contendersFor(each.beyond)
  const messages = totalMessages(each.beyond) - all
  const amount = { messages, bytes: messages * each.waiting.sizeBytes }
  const told = (rows: readonly Row[]): readonly Row[] =>
    beyond(rows.slice(0, contenders.length), rows.slice(contenders.length))
  return await measured(each, [...contenders, ...more], options, amount, { told })
}

async function takingPart(each: Case, { peers }: Options): Promise<readonly Client[]> {
  const present: Client[] = []
  for (const client of clients.filter((client) => canDo(client, each))) {
    if (client.needs === null) present.push(client)
    else if ((peers ?? each.peers).includes(client.name)) {
      if ((await installed(client.needs.program)) === null)
        console.log(`${client.needs.program} is not installed and does not take part`)
      else present.push(client)
    }
  }
  return present
}

function emptyNode(directory: string): Contender {
  return plainContender(EMPTY_NODE, directory, () => ({
    program: process.execPath,
    args: ['-e', '0'],
    directory,
    success: [0],
  }))
}

interface Besides {
  /** What was found out beside the runs. */
  readonly counted?: readonly Sample[]
  /** What is told instead of the runs as they are. */
  readonly told?: (rows: readonly Row[]) => readonly Row[]
}

async function measured(
  each: Trial,
  contenders: readonly Contender[],
  { runs }: Options,
  amount: Amount,
  { counted = [], told = (rows) => rows }: Besides = {},
): Promise<CaseResult> {
  const before = await othersShare()
  const rows = told(await takeTurns(contenders, runs, stop.signal))
  const others = Math.max(before, await othersShare())
  const names = rows.map(({ name }) => name)
  const reference = names.includes(each.reference) ? each.reference : (names[1] ?? '')
  const all = figures(rows, amount, reference)
  console.log(`\n${each.title}  [${each.name}]\n${table(all, reference)}`)
  warnOfOthers(others)
  const samples = [...rows.map(sampleOf), ...counted]
  const verdicts = each.targets.map((target) => judge(target, samples, amount.messages))
  for (const verdict of verdicts) console.log(`  ${line(verdict)}`)
  const broken = rows.filter(({ error }) => error !== null)
  for (const { name, error } of broken) console.log(`  ${name} did not finish: ${error}`)
  return {
    case: each.name,
    title: each.title,
    others,
    figures: all,
    verdicts,
    failures: [
      // What a peer cannot do is its own affair.
      ...broken.filter(({ name }) => name.startsWith('popfetch')).map(({ name, error }) => `${name}: ${error}`),
      ...verdicts.filter(({ verdict }) => verdict === 'missed').map(line),
    ],
  }
}
