// `popfetch import TOOL --record-only` and `--finish-trial`: an old tool's record, read again into accounts that are there.
// At the end of a trial both sides are compared by UIDL. What the old tool had counts as seen. What only popfetch had, in the
// Maildir of the trial, is due once more, at the destinations of after the trial. Then the configuration is changed (trial.ts).
// One rule: the ledger is changed first, under the leases of all accounts, so that no poll takes mail of the trial for delivered.
import { realpath } from 'node:fs/promises'
import { assemble } from '../../../config/assemble.ts'
import { parseText } from '../../../config/document.ts'
import { readText } from '../../../config/load.ts'
import { IN_ENVIRONMENT } from '../../../config/paths.ts'
import type { Account } from '../../../config/schema.ts'
import { display } from '../../../display.ts'
import { PopfetchError } from '../../../errors.ts'
import type { Ledger, Lease } from '../../../ledger/ledger.ts'
import type { MessageRecord } from '../../../ledger/records.ts'
import { ourUid } from '../../../own-file.ts'
import { namedAccounts } from '../../../setup/draft.ts'
import type { ImportedAccount, SeenUidl } from '../../../setup/imported.ts'
import { endTrial, TRIAL_MAILDIR, TRIAL_NAME, TRIAL_WRITTEN } from '../../../setup/trial.ts'
import { accountBusy, configurationError } from '../../command-errors.ts'
import { EXIT_OK } from '../../../status/exit.ts'
import { askRunning } from '../../open/ask-daemon.ts'
import { readConfiguration } from '../../open/configured.ts'
import { refuseInEnvironment, replaceFile } from '../../open/new-file.ts'
import { nameOf } from '../../open/read-ledger.ts'
import type { Surroundings } from '../../surroundings.ts'
import { counted } from '../../../status/words/amounts.ts'
import { readOldFiles, readSeen } from './old-files.ts'
import type { ImportInvocation } from './options.ts'
import { countOf, spelled } from './seen.ts'

/** An account that is there, and what the old tool's record has for it. */
interface Pair {
  readonly account: Account
  readonly old: ImportedAccount
  /** Null: there is no such record. */
  readonly seen: readonly SeenUidl[] | null
  /** When the old tool saw each first, by all UIDLs that the server may use. */
  readonly uidls: ReadonlyMap<string, number | null>
}

/** Resolves to 0. Rejects with ERR_CONFIG, ERR_BUSY, ERR_LEDGER; then nothing was changed, or it is done again. */
export async function run(invocation: ImportInvocation, surroundings: Surroundings): Promise<number> {
  const configuration = await readConfiguration(invocation, surroundings)
  const { imported } = await readOldFiles(invocation, surroundings)
  const { pairs, strangers } = await paired(imported.accounts, configuration.accounts, invocation, surroundings)
  const { output } = surroundings
  for (const { host, user } of strangers)
    output.problem(
      `${display(user)} at ${display(host)}: no account in ${display(configuration.file, 4096)} is for this mailbox`,
    )
  if (pairs.length === 0)
    throw configurationError(
      `no account in ${display(configuration.file, 4096)} is for a mailbox of ${invocation.tool}: run popfetch import ${invocation.tool} first`,
    )
  const { openLedger } = await surroundings.rooms.ledger()
  await using ledger = await openLedger(configuration, { env: surroundings.env })
  await using leases = new AsyncDisposableStack()
  const work: { readonly pair: Pair; readonly lease: Lease }[] = []
  for (const pair of pairs) {
    const lease = await ledger.lease(pair.account.name)
    if (lease === null) throw accountBusy(`importing ${pair.account.name}`)
    work.push({ pair, lease: leases.use(lease) })
  }
  if (invocation.mode === 'record-only') {
    for (const { pair, lease } of work) await remember(pair, lease, ledger, invocation)
    tellRecords(pairs, invocation, surroundings)
    return EXIT_OK
  }
  await refuseDaemon(configuration.statePath, surroundings)
  if (configuration.file === IN_ENVIRONMENT) refuseInEnvironment(surroundings.env)
  const file = await realpath(configuration.file)
  const after = await textAfterTrial(file, surroundings)
  const compared: Compared[] = []
  for (const { pair } of work) compared.push(await compare(pair, ledger, invocation))
  for (const [at, { pair, lease }] of work.entries()) {
    const result = compared[at]
    if (result !== undefined) await settle(pair, result, lease, ledger, invocation)
  }
  const kept = after === null ? null : await replaceFile(file, after, 'trial')
  tellTrial(compared, { file, kept }, invocation, surroundings)
  return EXIT_OK
}

async function paired(
  imported: readonly ImportedAccount[],
  accounts: readonly Account[],
  invocation: ImportInvocation,
  surroundings: Surroundings,
): Promise<{ readonly pairs: readonly Pair[]; readonly strangers: readonly ImportedAccount[] }> {
  const polled = imported.filter(({ off }) => !off)
  const records = await readSeen(polled, invocation, surroundings)
  const names = namedAccounts(imported)
  const free = new Set(accounts)
  const pairs: Pair[] = []
  const strangers: ImportedAccount[] = []
  for (const [at, old] of polled.entries()) {
    const name = names.find(({ account }) => account === old)?.name
    const isIt = ({ host, port, user }: Account): boolean => host === old.host && port === old.port && user === old.user
    const account =
      [...free].find((each) => each.name === name && isIt(each)) ??
      [...free].find(isIt) ??
      [...free].find((each) => each.name === name && each.user === old.user)
    if (account === undefined) {
      strangers.push(old)
      continue
    }
    free.delete(account)
    const seen = records[at] ?? null
    pairs.push({ account, old, seen, uidls: spelled(old, seen ?? []) })
  }
  return { pairs, strangers }
}

async function remember(
  { account, seen, uidls }: Pair,
  lease: Lease,
  ledger: Ledger,
  { takeOver }: ImportInvocation,
): Promise<void> {
  if (uidls.size === 0) return
  const { rememberSeen } = await import('../../../poll/account/amend.ts')
  const { host, port, user } = account
  await rememberSeen(ledger, lease, {
    identity: { host, port, user },
    count: countOf(seen ?? []),
    delivered: takeOver,
    uidls,
  })
}

function tellRecords(pairs: readonly Pair[], { tool, json, quiet }: ImportInvocation, { output }: Surroundings): void {
  const accounts = pairs.map(({ account, seen }) => ({
    account: account.name,
    seen: seen === null ? null : countOf(seen),
  }))
  if (json) output.object({ ok: true, accounts })
  else if (!quiet)
    for (const { account, seen } of accounts)
      output.prose(
        `${account}: ${seen === null ? `${tool} has no record of it` : `${counted(seen, 'message')} already fetched by ${tool}`}`,
      )
}

/** It has the configuration of the trial in memory. */
async function refuseDaemon(statePath: string, surroundings: Surroundings): Promise<void> {
  const running = await askRunning(statePath, { verb: 'status' }, surroundings)
  if (running === null) return
  throw new PopfetchError(
    'ERR_BUSY',
    `a daemon is running (pid ${running.pid}) with the configuration of the trial: run popfetch stop first`,
    { scope: 'process', retry: 'soon' },
  )
}

/** The configuration of after the trial; null: somebody has written it already. Rejects where a line of the trial was changed. */
async function textAfterTrial(file: string, { env, uid }: Surroundings): Promise<string | null> {
  const shown = display(file, 4096)
  const { text, changed, left } = endTrial((await readText(file, ourUid(env, uid))).text, TRIAL_WRITTEN)
  if (left.length > 0)
    throw configurationError(
      `ending the trial: ${shown}: line ${left.join(', ')}: what the trial wrote above it was changed: write the settings you want, and remove the comment`,
    )
  if (changed === 0) return null
  const { root, problems } = parseText(text)
  if (problems.length > 0 || assemble(root, (written) => written).problems.length > 0)
    throw configurationError(
      `ending the trial: ${shown} would not be valid without the trial: edit it by hand, and remove the comments`,
    )
  return text
}

interface Compared {
  readonly account: string
  readonly both: readonly MessageRecord[]
  /** UIDLs of the old tool's record that popfetch has not delivered. */
  readonly onlyOld: readonly string[]
  /** On the server, as far as popfetch knows. */
  readonly due: readonly MessageRecord[]
  /** Gone from the server: only the Maildir of the trial has them. */
  readonly gone: readonly MessageRecord[]
}

async function compare(
  { account, old, seen, uidls }: Pair,
  ledger: Ledger,
  { tool }: ImportInvocation,
): Promise<Compared> {
  const both: MessageRecord[] = []
  const due: MessageRecord[] = []
  const gone: MessageRecord[] = []
  const known = new Set<string>()
  for await (const slice of ledger.records.list(account.name, 'all'))
    for (const message of slice) {
      if (message.state === 'seen' || message.state === 'delivered') known.add(message.key.uidl)
      if (!isOfTrial(message)) continue
      if (uidls.has(message.key.uidl)) both.push(message)
      else if (message.goneSinceMs === null) due.push(message)
      else if (message.state === 'delivered') gone.push(message)
    }
  if (seen === null && old.keys['delete'] === 'never' && due.length > 0)
    throw configurationError(
      `ending the trial: ${account.name}: ${tool} has no record of this mailbox, so ${counted(due.length, 'message')} would be delivered again: give the record with --record`,
    )
  const names = new Set((seen ?? []).map(({ uidl }) => uidl))
  const spelling = old.seen?.spellings ?? ((uidl: string) => [uidl])
  const onlyOld = [...names].filter((uidl) => !spelling(uidl).some((each) => known.has(each)))
  return { account: account.name, both, onlyOld, due, gone }
}

/** Nothing of it went anywhere but into the Maildir of the trial. */
function isOfTrial({ state, deliveries }: MessageRecord): boolean {
  if (state === 'seen' || (state === 'delivered' && deliveries.length === 0)) return false
  return deliveries.every(({ destination }) => destination === TRIAL_NAME)
}

/** Cut short, it is simply done again. */
async function settle(
  pair: Pair,
  { both, due, gone }: Compared,
  lease: Lease,
  ledger: Ledger,
  invocation: ImportInvocation,
): Promise<void> {
  const { forgetMessages } = await import('../../../poll/account/amend.ts')
  const { host, port, user } = pair.account
  await ledger.admit(lease, { host, port, user })
  const keysOf = (messages: readonly MessageRecord[]) => messages.map(({ key }) => key)
  // A message that was never delivered counts as the old tool's, whatever else is said.
  const others = invocation.takeOver ? both.filter(({ state }) => state !== 'delivered') : both
  await forgetMessages(ledger, lease, keysOf([...others, ...due, ...gone]))
  await remember(pair, lease, ledger, invocation)
  await ledger.noteHeaders(
    lease,
    others.flatMap(({ key, listedBytes, fingerprint, messageId, from, subject, dateMs }) =>
      fingerprint === null ? [] : [{ key, listedBytes, fingerprint, messageId, heading: { from, subject, dateMs } }],
    ),
  )
  // A listing with almost none of them means other UIDLs, and all would come twice (S020).
  if (both.length > 0) await ledger.records.note(lease.account, { alive: String(both.length) })
}

function shownMessage(message: MessageRecord): string {
  const { from, subject } = message
  return [nameOf(message), from, subject].flatMap((text) => (text === null ? [] : [display(text, 80)])).join('  ')
}

/** Of each kind. --json has all. */
const MOST_SHOWN = 20

function tellTrial(
  compared: readonly Compared[],
  { file, kept }: { readonly file: string; readonly kept: string | null },
  { tool, json, quiet }: ImportInvocation,
  { output }: Surroundings,
): void {
  if (json) {
    const shown = (messages: readonly MessageRecord[]) =>
      messages.map((message) => ({ uidl: message.key.uidl, from: message.from, subject: message.subject }))
    const accounts = compared.map(({ account, both, onlyOld, due, gone }) => ({
      account,
      both: both.length,
      onlyOld,
      due: shown(due),
      gone: shown(gone),
    }))
    output.object({ ok: true, file: kept === null ? null : file, kept, accounts })
    return
  }
  if (quiet) return
  for (const { account, both, onlyOld, due, gone } of compared) {
    const shared = both.length === 0 ? 'no message' : counted(both.length, 'message')
    output.prose(`${account}: both had ${shared} of the trial${both.length === 0 ? '' : ', which now count as seen'}`)
    const list = (what: string, lines: readonly string[]): void => {
      if (lines.length === 0) return
      output.prose(`${account}: ${what}:`)
      for (const line of lines.slice(0, MOST_SHOWN)) output.prose(`  ${line}`)
      if (lines.length > MOST_SHOWN) output.prose(`  and ${lines.length - MOST_SHOWN} more`)
    }
    list(
      `only ${tool} had ${onlyOld.length}`,
      onlyOld.map((uidl) => display(uidl, 80)),
    )
    list(`only popfetch had ${due.length}, due at the next poll`, due.map(shownMessage))
    list(
      `only popfetch had ${gone.length} that are gone from the server, in ${TRIAL_MAILDIR}/${account}`,
      gone.map(shownMessage),
    )
  }
  if (kept !== null)
    output.prose(`${display(file, 4096)}: the trial is removed; the previous version is ${display(kept, 4096)}`)
  output.prose(`next: popfetch --dry-run, then popfetch; to go back: popfetch state export --as ${tool}`)
}
