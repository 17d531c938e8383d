// The whole listing of a mailbox, and what the server shows of itself with it. A listing that cannot be this account's is
// refused here, before anything is concluded from it.
import type { Listing } from '../pop3/listing/listing.ts'
import type { Visit } from './visit.ts'

/** Rejects with ERR_POP3_REPLY when the server refuses UIDL after it gave some, with ERR_ACCOUNT_RENAMED when an account
 *  that is no longer configured knows these messages. */
export async function list({ account, run, session, tally, history }: Visit): Promise<Listing> {
  tally.stage('listing')
  const offered = session.capabilities
  const listing = await session.list()
  history.rememberedCapabilities.learn(offered, session.capabilitiesAfter)
  history.loginDelaySeconds = session.capabilities.loginDelaySeconds
  history.refuseLostUidls(listing)
  await run.departed.refuseListing(account, history.record, listing, run.options)
  return listing
}
