// `npm run test:fuzz`: mutated input into every parser, for five seconds each; with `-- --long` for a minute each, with
// `-- --only NAME` into one. A finding ends it with status 1, the whole input, and the line that makes the case again: FUZZ_SEED
// and FUZZ_CASE. A second thread watches: what runs on without an end is a finding too.
import { setImmediate as turn } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { Worker } from 'node:worker_threads'
import { PopfetchError } from '../../src/errors.ts'
import { mutated, Random } from './random.ts'
import { targets } from './targets.ts'

const { values: wanted } = parseArgs({ options: { long: { type: 'boolean' }, only: { type: 'string' } } })
const secondsEach = wanted.long === true ? 60 : 5
const seed = Number(process.env['FUZZ_SEED'] ?? Date.now() % 1_000_000_007)
const oneCase = process.env['FUZZ_CASE'] === undefined ? null : Number(process.env['FUZZ_CASE'])

/** What is alive after a collection: about 50 MB of it are the program. The whole process is no measure: what its allocator holds
 *  free differs from run to run by as much as the program needs. */
const KEPT_LIMIT_BYTES = 100_000_000
/** By how much the whole process may grow over one input. */
const GROWTH_LIMIT_BYTES = 128_000_000
/** Of the processor, for one input: a machine that is busy with others proves nothing. A million rounds of SCRAM's hash take a
 *  second on a slow one. */
const SLOWEST_MS = 4000
/** By the clock: longer than any machine stands still. */
const LONGEST_MS = 300_000

/** [the case that runs, from 1; 0: none] */
const progress = new Int32Array(new SharedArrayBuffer(4))
// A hang leaves no turn of this thread's loop, so another one has to say it.
const watch = `
  const { workerData } = require('node:worker_threads')
  const usedMs = () => { const { user, system } = process.cpuUsage(); return (user + system) / 1000 }
  let last = 0, since = Date.now(), before = usedMs()
  setInterval(() => {
    const now = Atomics.load(workerData.progress, 0)
    if (now !== last) { last = now; since = Date.now(); before = usedMs() }
    if (now === 0 || (usedMs() - before < ${SLOWEST_MS * 5} && Date.now() - since < ${LONGEST_MS})) return
    require('node:fs').writeSync(2, \`hangs: FUZZ_SEED=${seed} FUZZ_CASE=\${now - 1} npm run test:fuzz\\n\`)
    process.kill(process.pid, 'SIGKILL')
  }, 500)
`
const watcher = new Worker(watch, { eval: true, workerData: { progress } })
watcher.unref()

let keptBytes = 0
let growthBytes = 0
const slowest = new Map<string, number>()
const refused = new Map<string, number>()
const runs = new Map<string, number>()

/** What is wrong with it; null: nothing. */
async function tried(at: number): Promise<string | null> {
  const random = new Random(seed, at)
  const target = targets[at % targets.length]
  if (target === undefined) return 'no target'
  const input = mutated(target.seeds, random)
  const startMs = usedMs()
  const before = highestBytes()
  runs.set(target.name, (runs.get(target.name) ?? 0) + 1)
  let finding: string | null = null
  try {
    await target.run(input, random)
  } catch (error) {
    if (error instanceof PopfetchError && error.code !== 'ERR_BUG')
      refused.set(target.name, (refused.get(target.name) ?? 0) + 1)
    else finding = error instanceof Error ? (error.stack ?? error.message) : String(error)
  }
  const tookMs = usedMs() - startMs
  slowest.set(target.name, Math.max(slowest.get(target.name) ?? 0, tookMs))
  if (tookMs > SLOWEST_MS) finding ??= `took ${Math.round(tookMs)} ms for ${input.length} bytes`
  const grown = highestBytes() - before
  growthBytes = Math.max(growthBytes, grown)
  if (grown > GROWTH_LIMIT_BYTES) finding ??= `took ${Math.round(grown / 1e6)} MB for ${input.length} bytes`
  return finding === null ? null : `${target.name}: ${finding}\n${whole(input)}`
}

/** Of the processor, by this process. */
function usedMs(): number {
  const { user, system } = process.cpuUsage()
  return (user + system) / 1000
}

/** The most that this process ever had. */
function highestBytes(): number {
  return process.resourceUsage().maxRSS * 1024
}

/** What is alive, right after a collection. */
function aliveBytes(): number {
  const { heapUsed, external } = process.memoryUsage()
  return heapUsed + external
}

/** All of it, in a form that survives a log. */
function whole(input: Buffer): string {
  return `the input, ${input.length} bytes in base64: ${input.toString('base64')}`
}

function end(finding: string, at: number): never {
  console.error(`${finding}\nagain: FUZZ_SEED=${seed} FUZZ_CASE=${at} npm run test:fuzz`)
  process.exit(1)
}

/** Cases `first`, `first + step` and so on, as long as there is time. */
async function fuzzed(first: number, step: number, untilMs: number): Promise<void> {
  for (let at = first, done = 0; done === 0 || performance.now() < untilMs; at += step, done += 1) {
    Atomics.store(progress, 0, at + 1)
    const finding = await tried(at)
    if (finding !== null) end(finding, at)
    if (done % 16 !== 0) continue
    Atomics.store(progress, 0, 0)
    // What the last case has begun to close holds its memory until then.
    await turn()
    // The second one counts what the first one found: buffers are freed beside the program.
    globalThis.gc?.()
    globalThis.gc?.()
    keptBytes = Math.max(keptBytes, aliveBytes())
    if (keptBytes > KEPT_LIMIT_BYTES) end(`${Math.round(keptBytes / 1e6)} MB are kept`, at)
  }
}

console.log(
  `seed ${seed}, ${oneCase === null ? `${secondsEach} s for each of ${targets.length} parsers` : `case ${oneCase}`}`,
)
if (oneCase !== null) await fuzzed(oneCase, 1, 0)
else {
  const chosen = [...targets.keys()].filter((at) => wanted.only === undefined || targets[at]?.name === wanted.only)
  if (chosen.length === 0)
    throw new Error(`no parser ${wanted.only}: there are ${targets.map(({ name }) => name).join(', ')}`)
  for (const at of chosen) await fuzzed(at, targets.length, performance.now() + secondsEach * 1000)
}
Atomics.store(progress, 0, 0)
for (const [name, count] of runs) {
  console.log(
    `${name}: ${count} inputs, ${refused.get(name) ?? 0} refused, slowest ${Math.round(slowest.get(name) ?? 0)} ms`,
  )
}
console.log(
  `no findings; kept at most ${Math.round(keptBytes / 1e6)} MB, one input took at most ${Math.round(growthBytes / 1e6)} MB`,
)
// A server that listens for its clients would keep the process.
process.exit(0)
