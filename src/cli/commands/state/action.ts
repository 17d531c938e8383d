// `popfetch state`: list, explain and export, which look into the ledger and change nothing; change.ts has the operations
// that change it. Messages are printed while they are read, as fast as the reader takes them.
import type { AccountRecord } from '../../../ledger/ledger.ts'
import type { MessageRecord, Selection } from '../../../ledger/records.ts'
import { pauseAt, pausedNow } from '../../../poll/route/paused.ts'
import { forecast, type AccountPresence } from '../../../poll/account/forecast.ts'
import { showsWhatItHas } from '../../../config/destinations/destinations.ts'
import type { Outline } from '../../../config/outline.ts'
import { display, localStamp } from '../../../display.ts'
import { EXIT_OK } from '../../../status/exit.ts'
import type { Operation, StateInvocation, StateRequests } from './options.ts'
import {
  openToRead,
  outlineOf,
  requireAccount,
  requireMessages,
  type LedgerContext,
  type Wanted,
} from '../../open/read-ledger.ts'
import { exportAs } from './export-as.ts'
import { backUp, forget, rename, restore, retry } from './change.ts'
import { check, repair, upgrade } from './mend.ts'
import { mentions } from '../../open/search.ts'
import { accountObject, messageObject } from './json.ts'
import { listLine, storyLines } from './text.ts'
import type { Surroundings } from '../../surroundings.ts'

/** Rejects with ERR_USAGE, ERR_CONFIG, ERR_LEDGER or ERR_BUSY. */
export async function run(invocation: StateInvocation, surroundings: Surroundings): Promise<number> {
  const outline = await outlineOf(invocation, surroundings)
  // The ledger itself is not opened for these: it may be damaged, or gone.
  if (invocation.operation === 'restore') {
    await restore(invocation, outline, surroundings)
    return EXIT_OK
  }
  if (invocation.operation === 'backup' && outline.postgres !== null)
    (await import('./database.ts')).refuseForDatabase('backup', outline.postgres)
  if (invocation.operation === 'copy') {
    await (await import('./copy.ts')).copy(invocation, outline, surroundings)
    return EXIT_OK
  }
  if (invocation.operation === 'check') return await check(invocation, outline, surroundings)
  if (invocation.operation === 'repair') return await repair(invocation, outline, surroundings)
  if (invocation.operation === 'upgrade') return await upgrade(invocation, outline, surroundings)
  await using ledger = await openToRead(outline, surroundings)
  await carryOut(invocation.operation, invocation, { outline, ledger, json: invocation.json, surroundings })
  return EXIT_OK
}

/** Those on a ledger that can be opened. */
type Opened = Exclude<Operation, 'restore' | 'copy' | 'check' | 'repair' | 'upgrade'>

const ACTIONS: {
  readonly [Name in Opened]: (wanted: StateRequests[Name], context: LedgerContext) => Promise<void>
} = {
  list,
  find,
  explain,
  export: exportAll,
  retry,
  forget,
  rename,
  backup: backUp,
}

async function carryOut<Name extends Opened>(
  name: Name,
  wanted: StateRequests[Name],
  context: LedgerContext,
): Promise<void> {
  await ACTIONS[name](wanted, context)
}

async function list({ account, selection }: StateRequests['list'], context: LedgerContext): Promise<void> {
  const { outline, ledger, json, surroundings } = context
  await requireAccount(account, outline, ledger)
  const { output } = surroundings
  let count = 0
  await eachMessage(account, selection, context, (message) => {
    count += 1
    if (json) output.object(messageObject(account, message))
    else output.prose(listLine(message))
  })
  const kind = selection === 'all' ? '' : ` that are ${selection}`
  if (count === 0) sayNone(`no messages of ${display(account)}${kind} are known`, context)
}

/** An empty answer, said to a person: programs have the answer itself. */
function sayNone(text: string, { json, surroundings }: LedgerContext): void {
  if (surroundings.person && !json) surroundings.output.note(text)
}

/** Every account's messages are looked at: a million take some seconds. */
async function find({ text }: StateRequests['find'], context: LedgerContext): Promise<void> {
  const { ledger, json, surroundings } = context
  const { output } = surroundings
  const isMeant = mentions(text)
  let count = 0
  for (const { name } of await ledger.accounts()) {
    const goesOn = await eachMessage(name, 'all', context, (message) => {
      if (!isMeant(message)) return
      count += 1
      if (json) output.object(messageObject(name, message))
      else output.prose(`${name}: ${listLine(message)}`)
    })
    if (!goesOn) return
  }
  if (count === 0) sayNone('no message has that in From, Subject, Message-ID or UIDL', context)
}

/** False: the reader is gone (`| head`). Rejects when the run is interrupted. */
async function eachMessage(
  account: string,
  selection: Selection,
  { ledger, surroundings }: LedgerContext,
  print: (message: MessageRecord) => void,
): Promise<boolean> {
  const { output, signal } = surroundings
  for await (const slice of ledger.records.list(account, selection)) {
    signal.throwIfAborted()
    for (const message of slice) print(message)
    if (!(await output.caughtUp())) return false
  }
  return true
}

async function exportAll(wanted: StateRequests['export'], context: LedgerContext): Promise<void> {
  const { account: only, as } = wanted
  if (as !== null) return await exportAs({ ...wanted, as }, context)
  const { outline, ledger, surroundings } = context
  if (only !== null) await requireAccount(only, outline, ledger)
  const { output } = surroundings
  for (const record of await ledger.accounts()) {
    if (only !== null && record.name !== only) continue
    output.object({ kind: 'account', ...accountObject(record) })
    const print = (message: MessageRecord): void =>
      output.object({ kind: 'message', ...messageObject(record.name, message) })
    if (!(await eachMessage(record.name, 'all', context, print))) return
  }
}

async function explain(wanted: Wanted, { outline, ledger, json, surroundings }: LedgerContext): Promise<void> {
  const { output, nowMs } = surroundings
  const { account } = wanted
  await requireAccount(account, outline, ledger)
  const messages = await requireMessages(ledger, wanted)
  const health = (await ledger.accounts()).find(({ name }) => name === account)
  if (health === undefined) return
  const presence = presenceOf(health, outline)
  const destinations = outline.configuration?.destinations ?? new Map()
  const shows = (name: string): boolean => showsWhatItHas(name, destinations)
  const paused = await pausedNow(account, ledger)
  const view = {
    presence,
    health,
    nowMs: nowMs(),
    shows,
    destinations: await ledger.destinations(),
    accountPause: paused.account,
    pauseOf: (name: string) => pauseAt(name, paused.destinations, destinations),
    sizesAreExact: health.facts['sizes'] !== 'hints',
    at: localStamp,
  }
  const told = messages.map((message) => ({ message, next: forecast({ ...view, message }) }))
  if (json) {
    const objects = told.map(({ message, next }) => ({ ...messageObject(account, message), next }))
    output.object({ ok: true, account, messages: objects })
  } else for (const { message, next } of told) output.prose(storyLines(account, message, next).join('\n'))
}

function presenceOf({ name }: AccountRecord, { accounts, configuration }: Outline): AccountPresence {
  const account = configuration?.accounts.find((each) => each.name === name)
  if (account !== undefined) return { kind: 'configured', account }
  return accounts !== null && !accounts.includes(name) ? { kind: 'departed' } : { kind: 'unclear' }
}
