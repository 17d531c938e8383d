// How a command looks into the ledger: where it is, which accounts it has, which message a person means. This works while
// polls run, and with a configuration of which only `state` can be read (DESIGN 5).
import type { Outline } from '../../config/outline.ts'
import { display } from '../../display.ts'
import type { Ledger } from '../../ledger/ledger.ts'
import type { MessageRecord } from '../../ledger/records.ts'
import type { CommonOptions } from '../common-options.ts'
import type { Surroundings } from '../surroundings.ts'
import { standInFor } from '../../redact/stand-in.ts'
import { possibleUidls, printedUidl } from '../../status/words/uidl.ts'
import { refusal, unknownAccount } from '../command-errors.ts'

/** What a command has that looks into the ledger. */
export interface LedgerContext {
  readonly outline: Outline
  readonly ledger: Ledger
  readonly json: boolean
  readonly surroundings: Surroundings
}

/** Rejects with ERR_CONFIG when the path of the ledger cannot be found out. Other faults are told on standard error. */
export async function outlineOf(options: CommonOptions, surroundings: Surroundings): Promise<Outline> {
  const { env, cwd, uid, output } = surroundings
  const { outlineConfiguration } = await import('../../config/outline.ts')
  const outline = await outlineConfiguration({ file: options.config, state: options.state, env, cwd, uid })
  // With --state no configuration is needed, and often there is none.
  if (outline.problem !== null && !options.quiet && (options.state === null || options.config !== null)) {
    const [what = ''] = outline.problem.message.split('\n', 1)
    output.problem(`warning: ${what.replace(/:$/, '')}: see popfetch config check`)
  }
  return outline
}

/** Opens the ledger to read: nothing is made or changed, and a file that does not exist is an empty ledger. */
export async function openToRead(outline: Outline, { rooms, env }: Surroundings): Promise<Ledger> {
  return await (await rooms.ledger()).openLedger(outline, { env, readOnly: true })
}

/** Rejects with ERR_USAGE for an account that neither the configuration nor the ledger has. */
export async function requireAccount(name: string, outline: Outline, ledger: Ledger): Promise<void> {
  const recorded = (await ledger.accounts()).map((record) => record.name)
  const names = [...new Set([...(outline.accounts ?? []), ...recorded])]
  if (!names.includes(name)) throw unknownAccount(name, names)
}

export interface Wanted {
  readonly account: string
  /** As typed: a UIDL, or a Message-ID. */
  readonly uidl: string
  /** Null: all copies. */
  readonly copy: number | null
}

/** At least one message; rejects with ERR_USAGE when the ledger knows no such message. */
export async function requireMessages(ledger: Ledger, wanted: Wanted): Promise<readonly MessageRecord[]> {
  const { account, uidl, copy } = wanted
  let copies: readonly MessageRecord[] = []
  const typed = possibleUidls(uidl)
  // One in which a secret stands is known by a stand-in.
  for (const meant of [...typed, ...typed.map(standInFor)]) {
    copies = await ledger.records.find(account, meant)
    if (copies.length > 0) break
  }
  if (copies.length === 0) copies = await withMessageId(ledger, account, uidl)
  const found = copy === null ? copies : copies.filter(({ key }) => key.copy === copy)
  if (found.length > 0) return found
  const numbers = copies.map(({ key }) => key.copy).join(', ')
  const why = copies.length === 0 ? 'no message has this UIDL or Message-ID' : `its copies have the numbers ${numbers}`
  throw refusal(`looking for the message ${display(uidl)} of ${account}: ${why}: see popfetch state list ${account}`)
}

/** Looks at every message of the account, where the word looks like a Message-ID. */
async function withMessageId(ledger: Ledger, account: string, word: string): Promise<readonly MessageRecord[]> {
  if (!word.includes('@')) return []
  const wanted = bare(word)
  const found: MessageRecord[] = []
  for await (const slice of ledger.records.list(account, 'all'))
    for (const message of slice)
      if (message.messageId !== null && bare(message.messageId) === wanted) found.push(message)
  return found
}

function bare(messageId: string): string {
  return messageId.trim().replace(/^<|>$/g, '')
}

/** The name of a message in a line: its UIDL, and the number of the copy unless it is the first. */
export function nameOf({ key }: Pick<MessageRecord, 'key'>): string {
  return key.copy === 0 ? printedUidl(key.uidl) : `${printedUidl(key.uidl)} (copy ${key.copy})`
}
