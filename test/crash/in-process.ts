// Polls of a scene in this process, through the real rooms, for the thousands of polls of the model. A poll whose ledger
// dies at a chosen call is what a kill leaves behind, as far as the ledger is asked. Real kills are in the other suites.
import { loadConfiguration } from '../../src/config/load.ts'
import { openLedger } from '../../src/config/state/open-ledger.ts'
import type { Ledger } from '../../src/ledger/ledger.ts'
import { silentLog } from '../../src/log.ts'
import { pollAll } from '../../src/poll/poller.ts'
import type { AccountReport } from '../../src/poll/report.ts'
import { mortal, type Death } from '../support/mortal-ledger.ts'
import { BY_PERSON } from '../support/poll-options.ts'
import type { Scene } from './scene.ts'

export interface PollHere {
  readonly death?: Death
  readonly acceptNewIds?: boolean
}

/** What changes the ledger, and so tells how far a poll has come. */
const CHANGES: readonly (keyof Ledger)[] = ['begin', 'settle', 'settleAndBegin', 'abandon', 'hold', 'deleted', 'finish']

export async function pollHere(scene: Scene, { death, acceptNewIds = false }: PollHere = {}): Promise<AccountReport> {
  const { configFile: file, directory } = scene
  const configuration = await loadConfiguration({
    file,
    state: null,
    env: { HOME: directory },
    cwd: directory,
    uid: process.getuid?.() ?? 0,
  })
  await using ledger = await openLedger(configuration, { env: {} })
  const reports = await pollAll({
    configuration,
    accounts: configuration.accounts,
    ledger: death === undefined ? ledger : mortal(ledger, death, CHANGES),
    options: { ...BY_PERSON, acceptNewIds },
    observer: { progress: () => {}, note: () => {} },
    log: silentLog,
    env: {},
    signal: new AbortController().signal,
  })
  const [report] = reports
  if (report === undefined) throw new Error('no report')
  return report
}
