// What the ledger's tests share: a directory of their own, short words for long literals, child processes that are cleared away.
import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { onTestFinished } from 'vitest'
import type {
  AccountHealth,
  Beginning,
  EntryKey,
  Ledger,
  Lease,
  Outcome,
  PollEnd,
  Settlement,
} from '../../src/ledger/ledger.ts'
import { openLedger, type LedgerOptions } from '../../src/ledger/sqlite/open.ts'

export const IDENTITY = { host: 'pop.example.net', port: 995, user: 'alice' }
export const DONE: Outcome = { state: 'done', receipt: '/home/alice/Mail/new/1.K2I3.host,S=4' }

export async function temporaryDirectory(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'popfetch-ledger-'))
  onTestFinished(() => rm(directory, { recursive: true, force: true }))
  return directory
}

/** A ledger in a directory of its own, closed when the test ends. */
export async function freshLedger(options: LedgerOptions = {}): Promise<Ledger> {
  const ledger = await openLedger(join(await temporaryDirectory(), 'state.db'), options)
  onTestFinished(() => ledger[Symbol.asyncDispose]())
  return ledger
}

/** The right to an account, which is made known; given back at the latest when the ledger is closed. */
export async function leaseOf(ledger: Ledger, account: string, identity = IDENTITY): Promise<Lease> {
  const lease = await ledger.lease(account)
  if (lease === null) throw new Error(`${account} is at work`)
  await ledger.admit(lease, identity)
  return lease
}

const NO_POLLS: AccountHealth = {
  lastPollMs: null,
  lastSuccessMs: null,
  failures: 0,
  refusals: 0,
  secretMark: null,
  pausedUntilMs: 0,
  error: null,
}

/** How a poll ended, as far as a test says. */
export function pollEnd(end: Partial<PollEnd>): PollEnd {
  return { identity: IDENTITY, health: NO_POLLS, facts: {}, wholeListing: false, mark: null, day: null, ...end }
}

export function key(uidl: string, copy = 0): EntryKey {
  return { uidl, copy }
}

export function beginning(entry: EntryKey, targets: readonly string[] = ['inbox'], intent = 'a'.repeat(16)): Beginning {
  const deliveries = targets.map((target) => {
    const [destination = '', recipient = ''] = target.split(' ')
    return { destination, recipient, intent }
  })
  return { key: entry, listedBytes: 4000, deliveries }
}

export function settlement(entry: EntryKey, outcome: Outcome, target = 'inbox'): Settlement {
  const [destination = '', recipient = ''] = target.split(' ')
  return { key: entry, destination, recipient, outcome, received: null }
}

export interface Child {
  readonly process: ChildProcess
  /** Its next line; '' when it has ended. */
  line(): Promise<string>
}

/** A script beside the tests as a process; killed when the test ends. */
export function child(script: string, ...args: readonly string[]): Child {
  const running = spawn(process.execPath, [join(import.meta.dirname, script), ...args], {
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  onTestFinished(async () => {
    if (running.exitCode !== null || running.signalCode !== null) return
    running.kill('SIGKILL')
    await once(running, 'exit')
  })
  const lines = createInterface({ input: running.stdout })[Symbol.asyncIterator]()
  return {
    process: running,
    line: async () => {
      const next = await lines.next()
      return next.done === true ? '' : next.value
    },
  }
}
