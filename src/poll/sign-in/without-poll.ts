// A session that no poll uses: signed in as the account is configured, for `check` and `shell`. Nothing is remembered of it.
import type { Account } from '../../config/schema.ts'
import type { Session } from '../../pop3/session.ts'
import { connect, type ConnectContext } from './connect.ts'
import { accountSecret, credentialsOf, type SecretContext } from './secret.ts'
import { TokenRenewal } from './token-renewal.ts'

export interface SignInObserver {
  /** A session was opened, and is about to be signed in; `tookMs`: how long that took. */
  readonly opened: (session: Session, tookMs: number) => void
  readonly note: (text: string) => void
}

/** The caller owns the session. A refused token is renewed once. Rejects as connect(), Session.signIn() and accountSecret() do;
 *  then nothing is left open. */
export async function signInWithoutPoll(
  account: Account,
  context: ConnectContext & SecretContext,
  { opened, note }: SignInObserver,
): Promise<Session> {
  const read = (refused: string | null = null): Promise<string> => accountSecret(account, context, refused)
  const renewal = new TokenRenewal(account, { read, note })
  for (let secret = await read(); ;) {
    const startMs = performance.now()
    const session = await connect(account, context)
    opened(session, performance.now() - startMs)
    try {
      await session.signIn(account.auth, credentialsOf(account, secret))
      return session
    } catch (error) {
      await session[Symbol.asyncDispose]()
      secret = await renewal.renew(secret, error, 0)
    }
  }
}
