// What every stage of a poll is given. A poll of an account lasts from its lease to its report; a visit is one session of
// it.
import type { Account } from '../config/schema.ts'
import type { PopfetchError } from '../errors.ts'
import type { Lease } from '../ledger/ledger.ts'
import type { Session } from '../pop3/session.ts'
import type { History } from './account/history.ts'
import type { PausedDestinations } from './route/paused.ts'
import type { AccountDestinations } from './route/account-destinations.ts'
import type { EnvelopeRefusals } from './route/envelope-refusals.ts'
import type { Looks } from './compare/looks.ts'
import type { Run } from './run/run.ts'
import type { Tally } from './tally.ts'
import type { EndedLooks } from './transfer/ended-looks.ts'
import type { Suspects } from './transfer/suspects.ts'
import type { Undone } from './undone.ts'

/** One poll of one account. It takes several sessions where one does not do. */
export interface AccountPoll {
  readonly account: Account
  /** What the accounts of this run share. */
  readonly run: Run
  /** The right to poll this account, which every change of the ledger shows. */
  readonly lease: Lease
  /** What became of the messages so far. */
  readonly tally: Tally
  /** What earlier polls left for this one, and what this one leaves for the next. */
  readonly history: History
  readonly suspects: Suspects
  readonly endedLooks: EndedLooks
  readonly undone: Undone
  /** Why destinations take no mail that were asked in this poll, by key and recipient. */
  readonly found: Map<string, PopfetchError>
  /** Destinations that a person paused. */
  readonly paused: PausedDestinations
  readonly envelopeRefusals: EnvelopeRefusals
}

/** One session of a poll, signed in. */
export interface OpenVisit extends AccountPoll {
  readonly session: Session
  readonly destinations: AccountDestinations
}

/** The same where there may be something to do. */
export interface Visit extends OpenVisit {
  readonly looks: Looks
}
