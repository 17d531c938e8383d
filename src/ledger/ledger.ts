// What popfetch remembers, and the promises that go with it: the contract of a ledger, kept by sqlite/ and open to other kinds.
// A change resolves once it would survive a power cut (a lease: a crash of the process). Those that are asked for together share
// a commit. It is made whole or not at all, in slices of a thousand messages where it is large: cut short, it is done again.
// Changes of one account are made in the order of the calls, under its lease: without it they reject with ERR_LEASE_LOST.
// What fails otherwise rejects with ERR_LEDGER, for the whole process; a use that is forbidden here with ERR_BUG, and changes
// nothing. Reads see what is committed and change nothing; an account or a message that is not known is no error to them.
// Nothing holds up the event loop for long, however large the ledger. Nothing outside this room knows SQL, files or rows.
// account.ts, entry.ts, lease.ts, schedule.ts, pause.ts, comparison.ts and records.ts are parts of this contract; test/ledger/contract.ts tries it.
import type { Heading, ReceivedFacts } from '../message.ts'
import type {
  AccountHealth,
  AccountIdentity,
  AccountRecord,
  DayCounts,
  FactChanges,
  ListingMark,
  TakingOver,
  Told,
} from './account.ts'
import type { Comparison } from './comparison.ts'
import type { DestinationRecord } from './destination.ts'
import type { EntryKey, Harm, KnownMessage, SeenEntry, ShownHeader } from './entry.ts'
import type { Lease } from './lease.ts'
import type { Pauses } from './pause.ts'
import type { Records } from './records.ts'
import type { Claim, Claimed, Worker, WorkerCard } from './schedule.ts'

export type { ReceivedFacts } from '../message.ts'
export type {
  AccountHealth,
  AccountIdentity,
  AccountRecord,
  DayCounts,
  FactChanges,
  ListingMark,
  TakingOver,
  Told,
} from './account.ts'
export type { DestinationRecord, Rest, RowEntry } from './destination.ts'
export type { Lease } from './lease.ts'
export type { Pause, Paused, Pauses } from './pause.ts'
export type { Claim, Claimed, Use, Worker, WorkerCard } from './schedule.ts'
export type * from './comparison.ts'
export type {
  Delivery,
  DeliveryState,
  EntryKey,
  Harm,
  KnownMessage,
  MessageState,
  PendingDeletion,
  SeenEntry,
  ShownHeader,
} from './entry.ts'

/** One message about to be retrieved: its attempt is counted, its targets are fixed if it is new. */
export interface Beginning {
  readonly key: EntryKey
  readonly listedBytes: number | null
  /** New intents of the deliveries that will be tried; for a new message all of its deliveries. */
  readonly deliveries: readonly { readonly destination: string; readonly recipient: string; readonly intent: string }[]
}

/** How an attempt ended. */
export type Outcome =
  | { readonly state: 'done'; readonly receipt: string }
  | {
      readonly state: 'refused' | 'failed' | 'unknown'
      readonly error: string
      readonly retryAfterMs: number
      /** What the answer was concluded to; absent: what is recorded of it stays. */
      readonly conclusion?: string
      /** False: it is no refusal or deferral of the message's own, and its counts stay. */
      readonly counts?: boolean
    }

/** One delivery of a message. */
export interface DeliveryKey {
  readonly key: EntryKey
  readonly destination: string
  readonly recipient: string
}

/** What becomes of a deletion that is wanted. Null: it is not wanted any more, or has happened. */
export interface DeletionNote {
  readonly key: EntryKey
  /** `tried`: DELE was sent once more. */
  readonly pending: { readonly reason: string; readonly tried: boolean } | null
}

/** The end of an attempt, to be recorded. */
export interface Settlement {
  readonly key: EntryKey
  readonly destination: string
  readonly recipient: string
  readonly outcome: Outcome
  readonly received: ReceivedFacts | null
}

/** A message that is at some of its destinations though the ledger does not know it (DESIGN 4.3). */
export interface Adoption {
  readonly key: EntryKey
  readonly listedBytes: number | null
  readonly deliveries: readonly AdoptedDelivery[]
  /** False: it may go to other destinations as well, which only its header tells. The message stays open. */
  readonly complete: boolean
}

/** `done`: it is there. `pending`: it is not. `unknown`: the destination does not show it, so it may be there. */
export type AdoptedDelivery = { readonly destination: string; readonly recipient: string } & (
  | { readonly state: 'done'; readonly intent: string; readonly receipt: string }
  | { readonly state: 'pending' | 'unknown' }
)

/** Since when, and from how many whole listings at least. */
export interface Absence {
  readonly goneUntilMs: number
  readonly listings: number
}

/** The end of a poll, to be recorded. */
export interface PollEnd {
  /** As the poll used it. */
  readonly identity: AccountIdentity
  readonly health: AccountHealth
  readonly facts: FactChanges
  /** Was there a listing that showed the whole mailbox? It counts as one, however many sessions the poll took. */
  readonly wholeListing: boolean
  /** Null: none, not that of an earlier poll either. */
  readonly mark: ListingMark | null
  /** Adds to the counts of this day (UTC, by the ledger's clock), see Records.days; null: nothing. */
  readonly day: DayCounts | null
  /** False: nothing of any message changed, and it need not survive a power cut. Absent: it does. */
  readonly lasting?: boolean
}

/** Where popfetch remembers what it has delivered. A ledger of your own keeps all that is promised here and above (durable when it
 *  resolves, ERR_LEDGER for what fails, changes of an account in the order of the calls), or mail is lost or comes twice. */
export interface Ledger extends AsyncDisposable {
  /** What messages to people call it: a path, or a URL without its password. Nothing is derived from it. */
  readonly place: string
  /** Where the processes are that may share it: on one machine, or on many. */
  readonly spans: 'machine' | 'machines'
  /** Under which name `begin` records where attempts are made; null: all that share it are on one machine. */
  readonly machine: string | null
  /** What no poll needs: looking in and mending. */
  readonly records: Records
  /** What a person wants left alone. */
  readonly pauses: Pauses

  /** The right to work on `account`, known or not, for whoever disposes of it; null: somebody who is alive has it. */
  lease(account: string): Promise<Lease | null>

  /** Makes the account known if need be, with this identity, and gives what is recorded of it now. */
  admit(lease: Lease, identity: AccountIdentity): Promise<AccountRecord>
  /** What is recorded of an account; null: it is not known. Changes nothing. */
  account(name: string): Promise<AccountRecord | null>
  /** All accounts of the ledger, in the order of their names, each as it is at some moment of the reading: other work has its turn
   *  meanwhile. Changes nothing. */
  accounts(): Promise<readonly AccountRecord[]>

  /** What is known of these entries, in their order; null: never seen. Up to 5,000 keys a call. Changes nothing. */
  known(account: string, keys: readonly EntryKey[]): Promise<readonly (KnownMessage | null)[]>

  /** Opens a comparison of a listing with what is known of the account; see there. Reads nothing yet. */
  compare(account: string): Comparison

  /** Remembers entries as `seen` (`first: new`, `last:N`), or as delivered by another program. Existing entries stay, but for
   *  what SeenEntry says. */
  see(lease: Lease, seen: readonly SeenEntry[]): Promise<void>

  /** The same, and the account as started once all of them are durable. Cut short, it is simply done again. */
  start(lease: Lease, seen: readonly SeenEntry[]): Promise<void>

  /** Before RETR: see Beginning. Each delivery named becomes `started` with its intent. */
  begin(lease: Lease, batch: readonly Beginning[]): Promise<void>

  /** After an attempt: `attempts` is 0 again. When all deliveries of the message are `done`, the message is `delivered`.
   *  `received` is recorded with it; null leaves what is there. */
  settle(lease: Lease, settlement: Settlement): Promise<void>

  /** `settle` of each of these and then `begin` of the batch, in one commit: all of it is made, or nothing. For many small messages
   *  on their way to one place. At most a thousand of each; rejects with ERR_BUG where one of the messages to be settled was never
   *  begun. */
  settleAndBegin(lease: Lease, settlements: readonly Settlement[], batch: readonly Beginning[]): Promise<void>

  /** The attempts of these deliveries leave our hands now: the last byte goes to the server, the command gets its input. Resolves
   *  when that is durable; not before then may it happen. `begin` takes the mark off. */
  handOver(lease: Lease, deliveries: readonly DeliveryKey[]): Promise<void>

  /** Deliveries to these destinations that were refused for what was the destination's after all. They are only deferred, due at
   *  once, and that refusal is not counted. `messages` by `nameOfMessage`, of any account, without its lease: nothing but
   *  a refused delivery is changed. `recipient` null: all of them. */
  absolve(messages: readonly string[], destinations: readonly string[], recipient: string | null): Promise<void>

  /** A begun message whose deliveries were not tried after all (cut, refused RETR): `started` ones are `pending` again, but
   *  those that were handed over. These may have arrived, and stay `started` until they are settled or begun again. `reason` is kept for people; null leaves it. The attempt is not counted, unless `counts`: the message made us fail. */
  abandon(
    lease: Lease,
    keys: readonly { readonly key: EntryKey; readonly reason: string | null; readonly counts: boolean }[],
  ): Promise<void>

  /** Keeps messages back for good, with the reason; creates them if need be. */
  hold(
    lease: Lease,
    held: readonly { readonly key: EntryKey; readonly listedBytes: number | null; readonly reason: string }[],
  ): Promise<void>

  /** Their DELE was answered +OK and the session ended with QUIT. */
  deleted(lease: Lease, keys: readonly EntryKey[]): Promise<void>

  /** Deletions that are wanted and did not happen, or no longer are. `deleted`, and going from the server, end one as well; of
   *  what is gone none is noted. */
  noteDeletions(lease: Lease, notes: readonly DeletionNote[]): Promise<void>

  /** These messages destroyed a session when `command` was asked of them; a message that is not known is open then. Null: they
   *  did not this time, what was recorded of it is forgotten. */
  noteHarm(lease: Lease, keys: readonly EntryKey[], command: Harm['command'] | null): Promise<void>

  /** What people recognise a message by that was not received; one that is not known: nothing happens. */
  noteHeading(lease: Lease, key: EntryKey, heading: Heading): Promise<void>
  /** Remembers headers of messages that are `seen`, or that another program delivered: by them they are known again under other
   *  UIDLs. A header or a size that is remembered stays; one of a message in any other state, or not known: nothing happens. */
  noteHeaders(lease: Lease, headers: readonly ShownHeader[]): Promise<void>

  /** They are listed again, and are the same messages. */
  returned(lease: Lease, keys: readonly EntryKey[]): Promise<void>

  /** These messages count as first seen now: the clock that said when was ahead (S040). */
  restartAges(lease: Lease, keys: readonly EntryKey[]): Promise<void>

  /** Remembers messages that destinations have though this ledger does not know of it: delivered where all have it, open where
   *  one may lack it (S034). Known messages stay as they are, but for open ones without deliveries, which never came: those get
   *  these deliveries. */
  adopt(lease: Lease, adoptions: readonly Adoption[]): Promise<void>
  /** Adds what was received to a message of which only the key was known; null: nothing. If it is open and every delivery is
   *  done, it goes nowhere else and is delivered. */
  confirm(lease: Lease, key: EntryKey, received: ReceivedFacts | null): Promise<void>
  /** Messages that the server lists under new UIDLs; the new keys must not be known. */
  rekey(lease: Lease, changes: readonly { readonly from: EntryKey; readonly to: EntryKey }[]): Promise<void>
  /** Forgets delivered and skipped messages that whole listings lack, this poll's among them. Those that are gone since
   *  `goneUntilMs` or longer and missing from at least this many `listings`, counted by `finish`. Gives how many they were, `most`
   *  at most. What was gone before listings were counted, or is to be kept (Comparison.gone), stays. */
  forget(lease: Lease, absent: Absence, most: number): Promise<number>

  /** Ends a poll: how it went, for the next one. */
  finish(lease: Lease, end: PollEnd): Promise<void>

  /** Remembers what a person was told of a known account's failure; null forgets it. An unknown account: nothing happens. */
  told(account: string, told: Told | null): Promise<void>

  /** Records how far the account's taking over is; null: it is finished. */
  takeOver(lease: Lease, state: TakingOver | null): Promise<void>

  /** What is recorded of destinations and recipients that were in trouble, in the order of their keys. */
  destinations(): Promise<readonly DestinationRecord[]>
  /** A blank record where nothing is. */
  destination(key: string, recipient: string): Promise<DestinationRecord>
  /** Replaces a record by what `change` makes of it, at once for all processes; gives the new one. `change` is pure and may run
   *  twice; where it gives its argument back, nothing is written. A record that says nothing more (isBlank) is not kept. */
  changeDestination(
    key: string,
    recipient: string,
    change: (record: DestinationRecord) => DestinationRecord,
  ): Promise<DestinationRecord>
  /** A destination that is called otherwise in the configuration now: all deliveries follow it, and its pause. Gives how many did; those of
   *  messages that have one of the new name already stay. */
  renameDestination(from: string, to: string): Promise<number>

  /** What is remembered under this name, of no account: some kilobytes of text; null: nothing. */
  memo(name: string): Promise<string | null>
  /** Replaces it by what `change` makes of it, at once for all processes; gives the new one. Null removes it. `change` is pure and
   *  may run twice; where it gives its argument back, nothing is written. */
  changeMemo(name: string, change: (text: string | null) => string | null): Promise<string | null>

  /** The same right for whoever plans polls: see Claim. Waits for nobody. */
  claim(account: string, claim: Claim): Promise<Claimed>
  /** The account is due again so long from now, by the ledger's clock; null: nobody plans its polls. A wake that came since it was
   *  claimed stays: then it is due at once. Survives a crash of the process. An unknown account: nothing happens. */
  schedule(lease: Lease, delayMs: number | null): Promise<void>
  /** These accounts are due now, and whoever claims them first learns that they were woken. An unknown one: nothing happens. */
  wake(accounts: readonly string[]): Promise<void>
  /** Tells `listener` of accounts that any process has woken and nobody has claimed yet: within 5 s, and again while that is so. Never
   *  throws: what cannot be read is told later. Until it is disposed of, or the ledger is closed. */
  heed(listener: (woken: readonly string[]) => void): Disposable
  /** From now on this process is one of `workers`, until the ledger is closed; called again, with this card. */
  join(card: WorkerCard): Promise<void>
  /** The living processes that joined or have leases, in the order in which they joined. */
  workers(): Promise<readonly Worker[]>
}
