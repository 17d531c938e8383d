// From an account to a session that is signed in. What an earlier poll learnt of the server saves questions here
// (workarounds.ts, remembered-capabilities.ts); nothing depends on it.
import type { Session } from '../../pop3/session.ts'
import type { AccountPoll } from '../visit.ts'
import { connect } from './connect.ts'
import { credentialsOf } from './secret.ts'

/** The caller owns the session. Rejects before connecting with ERR_ACCOUNT_RENAMED, where the account seems to have had
 *  another name before. */
export async function signIn({ account, run, tally, history }: AccountPoll, secret: string): Promise<Session> {
  tally.stage('connecting')
  await run.departed.refuseMailbox(account, history.record, run.options)
  const { workarounds, rememberedCapabilities } = history
  const { log, signal, env, listings } = run
  await using opened = new AsyncDisposableStack()
  const session = opened.use(
    await connect(account, { log, signal, env, listings, workarounds }, rememberedCapabilities.current),
  )
  await session.signIn(account.auth, credentialsOf(account, secret))
  history.signedInMs = run.nowMs()
  tally.note(`signed in to ${account.host} with ${session.signedInWith ?? ''}`)
  opened.move()
  return session
}
