// Everything that a command finds around it, with a poll and a check that do what a test says.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { execute } from '../../src/cli/main.ts'
import { Output } from '../../src/cli/output.ts'
import type { Surroundings } from '../../src/cli/surroundings.ts'
import type { Account, Configuration, DestinationConfig } from '../../src/config/schema.ts'
import type { PopfetchError } from '../../src/errors.ts'
import { openLedger } from '../../src/ledger/sqlite/open.ts'
import type { Ledger } from '../../src/ledger/ledger.ts'
import type { DestinationReport } from '../../src/poll/check/destinations.ts'
import type { RunRequest } from '../../src/poll/run/run.ts'
import type { AccountReport, CheckReport } from '../../src/poll/report.ts'
import { accountReport, checkReport } from './reports.ts'
import { MemoryStream } from './streams.ts'
import { leaseOf } from '../ledger/scene.ts'

/** `asked`: the requests that reached the poll or the check. */
export class World implements AsyncDisposable {
  readonly directory: string
  readonly stdout = new MemoryStream()
  readonly stderr = new MemoryStream()
  readonly asked: RunRequest[] = []
  readonly controller = new AbortController()
  reports: AccountReport[] = [accountReport({ account: 'work' }), accountReport({ account: 'home' })]
  destinations: string[] = []
  trials: DestinationReport[] = []
  /** In which order polls end. */
  asTheyCome: (reports: readonly AccountReport[]) => readonly AccountReport[] = (reports) => reports
  checks: CheckReport[] = [checkReport({ account: 'work', waiting: 12, new: 3 })]
  person = false
  env: Readonly<Record<string, string>> = {}
  nowMs = 1.8e12
  warnings: string[] = []
  configurationError: PopfetchError | null = null
  ledgerError: PopfetchError | null = null
  /** Null: a real one. */
  ledger: Ledger | null = null
  during: (request: RunRequest) => void = () => {}
  interruption: number | null = null

  private constructor(directory: string) {
    this.directory = directory
  }

  static async make(): Promise<World> {
    return new World(await mkdtemp(join(tmpdir(), 'popfetch-world-')))
  }

  async run(line: string): Promise<number> {
    this.stdout.text = ''
    this.stderr.text = ''
    return await execute(line === '' ? [] : line.split(' '), this.#surroundings())
  }

  get json(): unknown {
    return JSON.parse(this.stdout.text)
  }

  #surroundings(): Surroundings {
    return {
      env: this.env,
      cwd: this.directory,
      uid: process.getuid?.() ?? -1,
      output: new Output(this.stdout, this.stderr),
      terminal: this.person ? (this.stderr as unknown as NodeJS.WriteStream) : null,
      person: this.person,
      nowMs: () => this.nowMs,
      signal: this.controller.signal,
      interruption: () => this.interruption,
      host: {
        command: [],
        pid: 1,
        attached: () => false,
        starter: () => Promise.resolve(null),
        daemon: () => Promise.resolve(null),
        on: () => {},
        contain: () => {},
        keepCode: () => {},
        cacheFolder: null,
      },
      rooms: {
        configuration: () =>
          Promise.resolve({
            loadConfiguration: () =>
              this.configurationError === null
                ? Promise.resolve(configurationOf(this.directory, this.warnings, this.destinations))
                : Promise.reject(this.configurationError),
            showConfiguration: () => 'accounts:\n  work:\n    password: "****"\n',
            jsonSchema: () => ({ type: 'object' }),
          }),
        ledger: () => Promise.resolve({ openLedger: ({ statePath }) => this.#ledger(statePath) }),
        poll: () =>
          Promise.resolve({
            pollAll: async (request: RunRequest, told: (report: AccountReport) => void = () => {}) => {
              const reports = await this.#ran(request, this.reports)
              for (const report of this.asTheyCome(reports)) told(report)
              return reports
            },
            checkAll: async (
              request: RunRequest,
              { told = () => {} }: { told?: (report: CheckReport) => void } = {},
            ) => {
              for (const report of this.checks) told(report)
              return await this.#ran(request, this.checks)
            },
          }),
        trials: () =>
          Promise.resolve({
            checkDestinations: (
              _: RunRequest,
              names: readonly string[],
              told?: (report: DestinationReport) => void,
            ) => {
              const reports = this.trials.filter(({ destination }) => names.includes(destination))
              for (const report of reports) told?.(report)
              return Promise.resolve(reports)
            },
          }),
      },
    }
  }

  #ledger(path: string) {
    if (this.ledgerError !== null) return Promise.reject(this.ledgerError)
    return this.ledger === null ? openLedger(path) : Promise.resolve(this.ledger)
  }

  async #ran<T>(request: RunRequest, reports: readonly T[]): Promise<readonly T[]> {
    this.asked.push(request)
    for (const { name } of request.accounts) await (await leaseOf(request.ledger, name))[Symbol.asyncDispose]()
    this.during(request)
    return reports
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.directory, { recursive: true })
  }
}

function configurationOf(
  directory: string,
  warnings: readonly string[],
  destinations: readonly string[],
): Configuration {
  const accounts = ['work', 'home'].map(
    (name) =>
      ({
        name,
        fault: null,
        enabled: true,
        formerly: [],
        deliver: destinations,
        route: [] as const,
      }) as unknown as Account,
  )
  return {
    file: join(directory, 'config.yaml'),
    files: [join(directory, 'config.yaml')],
    accounts,
    disabled: [],
    trouble: null,
    include: [],
    accountsFrom: null,
    destinations: new Map(destinations.map((name) => [name, { type: 'maildir', name } as DestinationConfig])),
    oauth: new Map(),
    statePath: join(directory, 'state.db'),
    postgres: null,
    backup: 'daily',
    telling: null,
    headers: 'all',
    keepDeparted: null,
    concurrency: 64,
    perHost: null,
    daemon: { http: null, machine: null, onProblem: null, alertAfterMs: 21_600_000 },
    notify: [],
    log: { file: null, level: 'info', format: null },
    warnings,
  }
}
