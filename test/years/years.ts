// Years of use in one process: accounts that come and go, mail, failures, notices, restores, a clock that is moved from step to step. The
// polls are those of cron, with all that follows them. What is left in the folders is measured at the end of each year.
import { mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { boundCompileCache } from '../../src/cli/compile-cache.ts'
import { notifyOf } from '../../src/cli/commands/poll/notify.ts'
import { loadConfiguration } from '../../src/config/load.ts'
import type { Configuration } from '../../src/config/schema.ts'
import { openLedger } from '../../src/ledger/sqlite/open.ts'
import { restoreLedger } from '../../src/ledger/sqlite/restore.ts'
import { openLog } from '../../src/log.ts'
import { tidyLedger } from '../../src/poll/account/tidy.ts'
import { pollAll } from '../../src/poll/poller.ts'
import { copyLedger } from '../../src/poll/run/daily-copy.ts'
import { Pop3Server } from '../support/pop3-server.ts'
import { BY_PERSON } from '../support/poll-options.ts'

export interface Span {
  readonly years: number
  readonly accounts: number
  readonly stepDays: number
}

/** What is in the folders at the end of a year: bytes by kind, and how many files there are. */
export interface Measured {
  readonly year: number
  readonly files: number
  readonly bytes: Readonly<Record<Kind, number>>
  /** In the tables of the ledger. */
  readonly rows: Readonly<Record<string, number>>
}

const KINDS = {
  ledger: /^state\/state\.db(-wal|-shm)?$/,
  copies: /^state\/state\.db\./,
  log: /^state\/popfetch\.log/,
  spool: /^state\/spool\//,
  cache: /^cache\//,
  tmp: /\/tmp\//,
} as const
type Kind = keyof typeof KINDS | 'others'

const DAY_MS = 86_400_000
/** In place of 10 MB and 32 MB, so that a year is enough to fill them. */
const LOG_BYTES = 4 * 1024
const CACHE_BYTES = 150_000
const LETTERS = 3
/** In each year, at this step. */
const RESTORED_AT = 5

/** `setNow` moves the clock of the process. */
export async function live(
  { years, accounts, stepDays }: Span,
  setNow: (ms: number) => void,
): Promise<readonly Measured[]> {
  const directory = mkdtempSync(path.join(tmpdir(), 'popfetch-years-'))
  await using server = await Pop3Server.start()
  const measured: Measured[] = []
  const startMs = Date.UTC(2030, 0, 1)
  let nowMs = startMs
  let born = 0
  let names = Array.from({ length: accounts }, () => `account-${born++}`)
  try {
    for (let year = 1; year <= years; year++) {
      for (let day = 0; day < 365; day += stepDays) {
        nowMs = startMs + ((year - 1) * 365 + day) * DAY_MS
        setNow(nowMs)
        const step = Math.round(day / stepDays)
        for (const name of names) {
          const mailbox = server.mailbox(name, step % 5 === 3 && name.endsWith('1') ? 'changed' : 'secret')
          for (let count = 0; count < LETTERS; count++)
            mailbox.add(
              `From: a@b.example\r\nSubject: ${name} ${year} ${day} ${count}\r\n\r\n${'body\r\n'.repeat(20)}`,
              {
                uidl: `${name}-${year}-${day}-${count}`,
              },
            )
        }
        const configuration = await configure(directory, server, names)
        await cron(configuration, directory)
        if (step === RESTORED_AT) {
          await restoreLedger(path.join(directory, 'state/state.db'), path.join(directory, 'state/state.db.daily.1'))
          await cron(configuration, directory)
        }
        leaveBehind(directory, nowMs, year, step)
        readAll(directory, names)
        // Half of a year's accounts go, one after the other, and others come.
        if (step % Math.max(1, Math.floor(365 / stepDays / (accounts / 2))) === 0)
          names = [...names.slice(1), `account-${born++}`]
      }
      measured.push(measure(directory, year))
    }
    return measured
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}

async function configure(
  directory: string,
  { host, port }: Pop3Server,
  names: readonly string[],
): Promise<Configuration> {
  const file = path.join(directory, 'config.json')
  const account = (name: string, at: number) => ({
    host,
    port,
    tls: 'none',
    user: name,
    password: 'secret',
    deliver: `maildir:${path.join(directory, 'Mail', name)}`,
    delete: at % 2 === 0 ? 'after-delivery' : '30d',
  })
  const text = JSON.stringify({
    state: path.join(directory, 'state/state.db'),
    accounts: Object.fromEntries(names.map((name, at) => [name, account(name, at)])),
    notify: [{ run: ['/bin/true'] }],
  })
  writeFileSync(file, text, { mode: 0o600 })
  return await loadConfiguration({
    file,
    state: null,
    env: { HOME: directory },
    cwd: directory,
    uid: process.getuid?.() ?? 0,
  })
}

/** As `popfetch` does it without a terminal. */
async function cron(configuration: Configuration, directory: string): Promise<void> {
  const { accounts, headers, statePath } = configuration
  await using ledger = await openLedger(statePath, { headers })
  await using log = await openLog(path.join(directory, 'state/popfetch.log'), 'info', {
    form: 'json',
    turnAtBytes: LOG_BYTES,
  })
  const signal = new AbortController().signal
  const env = { HOME: directory, XDG_CACHE_HOME: path.join(directory, 'cache') }
  const observer = { progress: () => {}, note: () => {} }
  const gaps = { sessionGapSeconds: 0 }
  const reports = await pollAll({
    configuration,
    accounts,
    ledger,
    options: BY_PERSON,
    observer,
    log,
    env,
    signal,
    ...gaps,
  })
  for (const { account, outcome, delivered, error } of reports)
    log.info('polled', { account, outcome, delivered, error: error?.message ?? null })
  await notifyOf(reports, { configuration, ledger, log }, { env, nowMs: Date.now, signal })
  await copyLedger(configuration, { ledger, log })
  await tidyLedger(configuration, { ledger, log, nowMs: Date.now(), signal })
  boundCompileCache(env, CACHE_BYTES)
}

/** What versions leave in a cache, and killed processes in other places. */
function leaveBehind(directory: string, nowMs: number, year: number, step: number): void {
  const put = (name: string, bytes: number): void => writeFileSync(path.join(directory, name), Buffer.alloc(bytes))
  if (step !== 1) return
  for (const folder of ['cache', 'cache/popfetch']) mkdirOnce(path.join(directory, folder))
  put(`cache/popfetch/${year}-${nowMs}`, 100_000)
  put(`state/state.db.new-${'0'.repeat(12)}${String(year).padStart(4, '0')}`, 50_000)
}

function mkdirOnce(folder: string): void {
  if (statSync(folder, { throwIfNoEntry: false }) === undefined) mkdirSync(folder)
}

/** A person reads the mail, and deletes it. */
function readAll(directory: string, names: readonly string[]): void {
  for (const name of names) {
    const folder = path.join(directory, 'Mail', name, 'new')
    if (statSync(folder, { throwIfNoEntry: false }) === undefined) continue
    for (const file of readdirSync(folder)) rmSync(path.join(folder, file))
  }
}

function measure(directory: string, year: number): Measured {
  const bytes: Record<Kind, number> = { ledger: 0, copies: 0, log: 0, spool: 0, cache: 0, tmp: 0, others: 0 }
  let files = 0
  for (const name of readdirSync(directory, { recursive: true, encoding: 'utf8' })) {
    const stats = statSync(path.join(directory, name))
    if (!stats.isFile()) continue
    files++
    const kind = (Object.keys(KINDS) as (keyof typeof KINDS)[]).find((one) => KINDS[one].test(name)) ?? 'others'
    bytes[kind] += stats.size
  }
  return { year, files, bytes, rows: rowsOf(path.join(directory, 'state/state.db')) }
}

function rowsOf(file: string): Readonly<Record<string, number>> {
  const database = new DatabaseSync(file, { readOnly: true })
  try {
    const tables = ['account', 'message', 'delivery', 'day', 'destination', 'memo', 'lease']
    const memo = Number(database.prepare('SELECT sum(length(text)) AS n FROM memo').get()?.['n'])
    const facts = Number(database.prepare('SELECT sum(length(facts)) AS n FROM account').get()?.['n'])
    const count = (table: string): number => Number(database.prepare(`SELECT count(*) AS n FROM ${table}`).get()?.['n'])
    return { ...Object.fromEntries(tables.map((table) => [table, count(table)])), memoBytes: memo, factBytes: facts }
  } finally {
    database.close()
  }
}
