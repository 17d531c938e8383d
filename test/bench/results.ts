// What came of the bench, one file a run under results/, named by time and commit, and how a case moved over them. Git does
// not keep them: figures of different machines and loads do not belong side by side, and no run is to leave the checkout
// changed. One that marks a state worth comparing with is added by hand (`git add -f`).
import { execFileSync } from 'node:child_process'
import { mkdir, readFile, readdir, writeFile } from 'node:fs/promises'
import { cpus, loadavg } from 'node:os'
import { dirname, join } from 'node:path'
import { columns, type Figures } from './table.ts'
import { format, type Verdict } from './target.ts'

export interface CaseResult {
  readonly case: string
  readonly title: string
  /** The share of the processors that others used just before or just after, whichever was more; 0 to 1. */
  readonly others: number
  readonly figures: readonly Figures[]
  readonly verdicts: readonly Verdict[]
  /** A line for each reason why the bench fails. */
  readonly failures: readonly string[]
}

export interface Machine {
  readonly processor: string
  readonly processors: number
  readonly node: string
  /** Average of the minute before the bench began. */
  readonly load: number
}

export interface BenchResult {
  readonly date: string
  /** Of the checkout that was measured; `+`: with changes of its own; null: not built in a checkout. */
  readonly commit: string | null
  readonly machine: Machine
  /** As asked for. */
  readonly runs: number
  readonly cases: readonly CaseResult[]
}

const directory = join(import.meta.dirname, 'results')

export function thisMachine(): Machine {
  const processors = cpus()
  return {
    processor: processors[0]?.model.trim() ?? 'unknown',
    processors: processors.length,
    node: process.version,
    load: Number((loadavg()[0] ?? 0).toFixed(2)),
  }
}

export function commitOf(startFile: string): string | null {
  const git = (...args: string[]): string =>
    execFileSync('git', args, { cwd: dirname(startFile), encoding: 'utf8', stdio: 'pipe' }).trim()
  try {
    const commit = git('rev-parse', '--short=10', 'HEAD')
    const changes = git('status', '--porcelain', '--', ':/src', ':/bin', ':/package-lock.json')
    return changes === '' ? commit : `${commit}+`
  } catch {
    return null
  }
}

/** Gives the path of the new file. */
export async function save(result: BenchResult): Promise<string> {
  await mkdir(directory, { recursive: true })
  const time = result.date.replace(/\.\d+Z$/, 'Z').replaceAll(':', '-')
  const file = join(directory, `${time}-${result.commit ?? 'unknown'}.json`)
  await writeFile(file, `${JSON.stringify(result, null, 2)}\n`)
  return file
}

/** All that is kept, oldest first. */
export async function load(): Promise<readonly BenchResult[]> {
  const names = await readdir(directory).catch((): string[] => [])
  const dated = names.filter((name) => /^\d{4}-.*\.json$/.test(name)).sort()
  return Promise.all(
    dated.map(async (name) => JSON.parse(await readFile(join(directory, name), 'utf8')) as BenchResult),
  )
}

/** One table for each target of the case: a line for each time it was judged. */
export function history(name: string, results: readonly BenchResult[]): string {
  const tables = new Map<string, string[][]>()
  for (const { date, commit, machine, runs, cases } of results) {
    const found = cases.find((each) => each.case === name)
    for (const verdict of found?.verdicts ?? []) {
      if (found === undefined || verdict.value === null) continue
      const { value, noise, wanted } = format(verdict)
      const rows = tables.get(wanted) ?? [['', 'commit', 'value', '±', 'verdict', 'runs', 'others', 'machine']]
      const { processors, processor, node } = machine
      const place = `${processors} × ${processor}, Node ${node}`
      rows.push([
        date.slice(0, 16),
        commit ?? '',
        value,
        noise,
        verdict.verdict,
        String(runs),
        `${Math.round(found.others * 100)} %`,
        place,
      ])
      tables.set(wanted, rows)
    }
  }
  if (tables.size === 0) return `no run of ${name} is kept`
  return [...tables].map(([wanted, rows]) => `${wanted}\n${columns(rows)}`).join('\n\n')
}
