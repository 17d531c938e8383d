// Polls of a scene in this process, through the real rooms, for the thousands of polls of the model: a poll whose ledger
// dies at a chosen call is what a kill leaves behind, as far as the ledger is asked. Real kills are in the other suites.
import { loadConfiguration } from '../../src/config/load.ts'
import { PopfetchError } from '../../src/errors.ts'
import type { Ledger } from '../../src/ledger/ledger.ts'
import { openLedger } from '../../src/ledger/sqlite/open.ts'
import { silentLog } from '../../src/log.ts'
import { pollAll } from '../../src/poll/poller.ts'
import type { AccountReport } from '../../src/poll/report.ts'
import type { Scene } from './scene.ts'

export interface Death {
  /** At the n-th change, from 1. */
  readonly change: number
  /** Was the change still made? Whoever asked for it does not learn of it either way. */
  readonly made: boolean
}

export interface PollHere {
  readonly death?: Death
  readonly acceptNewIds?: boolean
}

/** What changes the ledger, and so tells how far a poll has come. */
const CHANGES: ReadonlySet<string | symbol> = new Set<keyof Ledger>([
  'begin',
  'settle',
  'abandon',
  'hold',
  'deleted',
  'finish',
])

export async function pollHere(scene: Scene, { death, acceptNewIds = false }: PollHere = {}): Promise<AccountReport> {
  const { configFile: file, directory } = scene
  const configuration = await loadConfiguration({ file, state: null, env: { HOME: directory }, cwd: directory, uid: 0 })
  await using ledger = await openLedger(configuration.statePath)
  const reports = await pollAll({
    configuration,
    accounts: configuration.accounts,
    ledger: death === undefined ? ledger : mortal(ledger, death),
    options: { dryRun: false, limit: null, all: false, acceptNewIds, yes: false, eager: true },
    observer: { progress: () => {}, note: () => {} },
    log: silentLog,
    env: {},
    signal: new AbortController().signal,
  })
  const [report] = reports
  if (report === undefined) throw new Error('no report')
  return report
}

/** The same ledger until its death; from then on it refuses everything. */
export function mortal(ledger: Ledger, { change, made }: Death): Ledger {
  let changes = 0
  return new Proxy(ledger, {
    get(target, name) {
      const found: unknown = Reflect.get(target, name, target)
      if (typeof found !== 'function') return found
      return async (...args: unknown[]): Promise<unknown> => {
        if (CHANGES.has(name)) changes += 1
        if (changes > change || (changes === change && !made)) throw dead()
        const result: unknown = await Reflect.apply(found, target, args)
        if (changes >= change) throw dead()
        return result
      }
    },
  })
}

function dead(): PopfetchError {
  return new PopfetchError('ERR_LEDGER', 'killed', { scope: 'process', retry: 'soon' })
}
