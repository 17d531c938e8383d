// A refused or expired access token is read again, once, and the poll goes on with another session (P067, P077).
// The one rule: never the same token twice, and never for passwords, since some servers count refusals (P052).
import type { Account } from '../../config/schema.ts'
import { PopfetchError } from '../../errors.ts'
import { ExpiredToken } from '../../pop3/wire/reply-error.ts'

export interface TokenRenewalContext {
  /** Reads the token again: a command runs again, a provider is asked for another one than was refused. Rejects with ERR_SECRET,
   *  ERR_AUTH. */
  readonly read: (refused: string) => Promise<string>
  readonly note: (text: string) => void
}

export class TokenRenewal {
  readonly #account: Account
  readonly #context: TokenRenewalContext
  /** How many messages had been delivered when the token was last renewed; -1: it was not renewed yet. */
  #deliveredThen = -1

  constructor(account: Account, context: TokenRenewalContext) {
    this.#account = account
    this.#context = context
  }

  /** A fresh token instead of `token`, after a session that ended with `error`. Rejects with `error` if that is not about the
   *  token, if the fresh token is the same, or if the last fresh one brought no message. */
  async renew(token: string, error: unknown, delivered: number): Promise<string> {
    if (this.#account.token === null || !isAboutToken(error) || delivered <= this.#deliveredThen) throw error
    this.#deliveredThen = delivered
    const fresh = await this.#context.read(token)
    if (fresh === token) throw error
    const why = error instanceof ExpiredToken ? 'has expired' : 'was refused'
    this.#context.note(`the token ${why}: continuing with a new one`)
    return fresh
  }
}

function isAboutToken(error: unknown): boolean {
  return error instanceof ExpiredToken || (error instanceof PopfetchError && error.code === 'ERR_AUTH')
}
