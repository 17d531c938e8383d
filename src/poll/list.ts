// The whole listing of a mailbox, and what the server shows of itself with it. A listing that cannot be this account's is
// refused here, before anything is concluded from it.
import type { Listing } from '../pop3/listing/listing.ts'
import { knownListing } from './idle/idle.ts'
import type { OpenVisit } from './visit.ts'

/** Null: there is nothing to do with it, as at the last poll. Rejects with ERR_POP3_REPLY when the server refuses UIDL after it gave
 *  some, with ERR_ACCOUNT_RENAMED when an account that is no longer configured knows these messages. */
export async function list(visit: OpenVisit): Promise<Listing | null> {
  const { account, run, session, tally, history } = visit
  tally.stage('listing')
  const offered = session.capabilities
  const listing = await session.list(knownListing(visit))
  history.rememberedCapabilities.learn(offered, session.capabilitiesAfter)
  history.loginDelaySeconds = session.capabilities.loginDelaySeconds
  if (listing === null) return null
  history.refuseLostUidls(listing)
  await run.departed.refuseListing(account, history.record, listing, run.options)
  return listing
}
