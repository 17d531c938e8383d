// Stops an account that was renamed in the configuration (S017, DESIGN 4.1). Under a new name it has no history, and everything
// would be fetched again. Looks for its mailbox among the accounts that the ledger has and the configuration has not.
import type { Account, Configuration } from '../../config/schema.ts'
import { PopfetchError } from '../../errors.ts'
import type { AccountRecord, Ledger } from '../../ledger/ledger.ts'
import type { Listing } from '../../pop3/listing/listing.ts'
import { standInFor } from '../../redact/stand-in.ts'
import type { PollOptions } from '../report.ts'

/** This many UIDLs, spread over the listing, tell whose mailbox it is. */
const SAMPLE = 200
/** Fewer common UIDLs mean nothing: some servers number their messages from 1 (P094). */
const FEWEST = 3

export class Departed {
  readonly #ledger: Ledger
  readonly #configured: ReadonlySet<string>
  /** Read once for all accounts that have no history: a first poll of ten thousand is not to read ten thousand each. */
  #read: Promise<readonly AccountRecord[]> | null = null

  constructor(ledger: Ledger, { accounts, disabled }: Pick<Configuration, 'accounts' | 'disabled'>) {
    this.#ledger = ledger
    this.#configured = new Set([...accounts, ...disabled].map(({ name }) => name))
  }

  /** Before connecting. Rejects with ERR_ACCOUNT_RENAMED when a departed account had the same user, host and port. */
  async refuseMailbox(account: Account, { known }: AccountRecord, options: PollOptions): Promise<void> {
    if (known > 0 || goesOn(options)) return
    const { host, port, user } = account
    const isSame = ({ identity }: AccountRecord): boolean =>
      identity.host.toLowerCase() === host.toLowerCase() && identity.port === port && identity.user === user
    if (!(await this.#accounts()).some(isSame)) return
    // Another popfetch may have renamed or forgotten it since.
    const found = (await this.#fresh()).filter(isSame).toSorted((a, b) => b.known - a.known)[0]
    if (found !== undefined) throw renamed(found.name, account.name, 'had the same user, host and port')
  }

  /** After the listing. Rejects with ERR_ACCOUNT_RENAMED when a departed account knows most of the UIDLs. */
  async refuseListing(
    account: Account,
    { known }: AccountRecord,
    listing: Listing,
    options: PollOptions,
  ): Promise<void> {
    if (known > 0 || goesOn(options) || (await this.#accounts()).length === 0) return
    const sample = sampleOf(listing)
    const names = (await this.#fresh()).map(({ name }) => name)
    const owners = await this.#ledger.records.owners(names, [...sample, ...sample.map(standInFor)])
    const [owner] = [...owners].toSorted(([, a], [, b]) => b - a)
    if (owner === undefined) return
    const [name, common] = owner
    if (common >= FEWEST && common > sample.length / 2) {
      throw renamed(name, account.name, `knew ${common} of ${sample.length} messages that were compared`)
    }
  }

  #accounts(): Promise<readonly AccountRecord[]> {
    this.#read ??= this.#fresh().catch((error: unknown) => {
      // A ledger that was busy for once must not keep a new account from its mail until the next start.
      this.#read = null
      throw error
    })
    return this.#read
  }

  async #fresh(): Promise<readonly AccountRecord[]> {
    return (await this.#ledger.accounts()).filter(({ name, known }) => known > 0 && !this.#configured.has(name))
  }
}

function goesOn({ yes, dryRun }: PollOptions): boolean {
  return yes || dryRun
}

function sampleOf(listing: Listing): readonly string[] {
  const step = Math.max(1, listing.length / SAMPLE)
  const uidls = new Set<string>()
  for (let at = 0; at < listing.length; at += step) {
    const uidl = listing.uidl(Math.floor(at))
    if (uidl !== '') uidls.add(uidl)
  }
  return [...uidls]
}

function renamed(old: string, name: string, why: string): PopfetchError {
  return new PopfetchError(
    'ERR_ACCOUNT_RENAMED',
    `polling ${name}, of which nothing is known: ${old}, which is no longer in the configuration, ${why}; all mail would be fetched again. If it was renamed: popfetch state rename ${old} ${name}. If it is another mailbox: popfetch --yes ${name}`,
    { scope: 'account', retry: 'never' },
  )
}
