// One account, polled once: the story of the program on one page.
//
// An account that a person paused is left alone. The account's lease keeps every other process out. One session follows, or several where
// one does not do (sessions.ts). A session signs in, lists what the server has, and compares the listing with the ledger: the result is a
// plan. Guards stop a plan that was probably not meant. A listing with which there was nothing to do, and is none now, ends the session
// at once (idle/); the rest is done in full/full-poll.ts. What the listing alone shows is recorded. Each message to be fetched gets its
// destinations. The transfer retrieves each message, delivers it, and records the delivery. Only then DELE is sent, and only QUIT makes
// the server carry it out. At the end the account's history tells the next poll how this one went.
//
// The one rule: nothing is deleted on doubt. Whatever goes wrong, the session ends without QUIT, and the mail stays.
import type { Account } from '../config/schema.ts'
import { asPopfetchError } from '../errors.ts'
import type { Lease } from '../ledger/ledger.ts'
import { surrounded } from './before-after.ts'
import { failFaulty } from './account/faulty.ts'
import { takeOverFormerName } from './account/former-names.ts'
import { History } from './account/history.ts'
import { takeOverMigration } from './compare/take-over-migration.ts'
import type { fullPoll as FullPoll } from './full/full-poll.ts'
import { endIdle } from './idle/idle.ts'
import { list } from './list.ts'
import type { AccountReport } from './report.ts'
import { pausedNow, pauseText } from './route/paused.ts'
import { AccountDestinations } from './route/account-destinations.ts'
import { EnvelopeRefusals } from './route/envelope-refusals.ts'
import { LeasedRun } from './run/leased-run.ts'
import type { Run } from './run/run.ts'
import { inSessions, type SessionEnd } from './sessions.ts'
import { signIn } from './sign-in/sign-in.ts'
import { Tally } from './tally.ts'
import { EndedLooks } from './transfer/ended-looks.ts'
import { Suspects } from './transfer/suspects.ts'
import { Undone } from './undone.ts'
import type { AccountPoll, OpenVisit } from './visit.ts'

/** Never rejects: what went wrong is in the report. */
export async function pollAccount(account: Account, lease: Lease, run: Run): Promise<AccountReport> {
  const tally = new Tally(account.name, run.observer, run.nowMs)
  try {
    const paused = await pausedNow(
      account.name,
      run.ledger,
      lease === run.restrictions.lease ? undefined : lease.paused,
    )
    if (paused.account !== null) return tally.pausedBy(pauseText(paused.account))
    using leased = new LeasedRun(run, lease)
    if (account.fault !== null) {
      await failFaulty(account, lease, leased.run, tally)
      return tally.report()
    }
    // A migration has accounts of its own.
    const mayTake = !run.options.dryRun && run.restrictions.lease === null
    const former = mayTake ? await takeOverFormerName(account, lease, run.ledger) : null
    if (former !== null) tally.note(`takes over what is known of ${former}`)
    const history = await History.open(account, lease, leased.run, former !== null)
    if (await history.isPaused()) return tally.paused(history.record.error)
    const undone = new Undone(account.name)
    const poll: AccountPoll = {
      account,
      run: leased.run,
      lease,
      tally,
      history,
      suspects: new Suspects(),
      endedLooks: new EndedLooks({ run: leased.run, lease, history }),
      undone,
      found: new Map(),
      paused: paused.destinations,
      envelopeRefusals: new EnvelopeRefusals(),
    }
    await takeOverMigration(poll)
    await surrounded(poll, async () => {
      await inSessions(poll, (secret) => pollOnce(poll, secret))
      lease.requireHeld()
      await undone.settle(poll)
    })
    await history.save(tally)
  } catch (error) {
    tally.fail(asPopfetchError(error))
  }
  tally.stage('done')
  return tally.report()
}

/** One session, from sign-in to QUIT. Where a step rejects, disposing of the session closes it without QUIT. */
async function pollOnce(poll: AccountPoll, secret: string): Promise<SessionEnd> {
  await using session = await signIn(poll, secret)
  using destinations = new AccountDestinations(poll)
  const visit: OpenVisit = { ...poll, session, destinations }
  const listed = list(visit)
  // An account that is new has mail, mostly: the code for it is loaded while the server makes its lists, which are asked for first.
  if (poll.history.record.lastSuccessMs === null) setImmediate(() => void fullPoll().catch(() => {}))
  const listing = await listed
  if (listing === null) return await endIdle(visit)
  const inFull = await fullPoll()
  return await inFull(listing, visit)
}

/** Loaded at first use: most polls do without. */
async function fullPoll(): Promise<typeof FullPoll> {
  return (await import('./full/full-poll.ts')).fullPoll
}
