// Ends of a session that another session may avoid: facts about the server, for the code that decides whether to open one.
// The messages are those of what happened. The one rule: none of these is a verdict on a password or a message.
import { asPopfetchError, PopfetchError } from '../errors.ts'
import type { Capabilities } from './wire/capabilities.ts'

/** CAPA got no answer: silence, or the end of the connection (P032, CAPA unanswered). */
export class UnansweredCapabilities extends PopfetchError {
  override readonly name: string = 'UnansweredCapabilities'
}

/** Commands were sent together, and the server did not answer all of them (P143, false PIPELINING). */
export class UnansweredBurst extends PopfetchError {
  override readonly name: string = 'UnansweredBurst'
}

/** A message ended so early that the answers after it may be the rest of it (P113, an end in the middle). */
export class DoubtfulAnswers extends PopfetchError {
  override readonly name: string = 'DoubtfulAnswers'

  constructor(reason: string) {
    super('ERR_POP3_PROTOCOL', `a message is ${reason}: what the server said after it cannot be trusted`, {
      scope: 'account',
      retry: 'soon',
    })
  }
}

/** The sign-in relied on remembered capabilities, and the server's offer has changed since. */
export class StaleCapabilities extends PopfetchError {
  override readonly name: string = 'StaleCapabilities'

  constructor(cause: unknown) {
    super('ERR_MECHANISM', 'the server no longer offers what it did: asking again helps', {
      scope: 'account',
      retry: 'soon',
      cause,
    })
  }
}

/** UnansweredCapabilities where CAPA failed for want of an answer; any other error unchanged. */
export function unansweredCapabilities(error: unknown): unknown {
  if (!isSilence(error) && !isClose(error)) return error
  return new UnansweredCapabilities(error.code, error.message, { ...factsOf(error), cause: error })
}

/** `all`, whose commands were sent together. Where it fails after some of `parts` were answered: UnansweredBurst. A server that
 *  answers none of them may simply hang, so silence from the first command on is left as it is. */
export function inBurst<T>(all: Promise<T>, parts: readonly Promise<unknown>[]): Promise<T> {
  let answered = 0
  const count = (): void => void answered++
  for (const part of parts) void part.then(count, () => {})
  return all.catch((error: unknown) => {
    if (!isClose(error) && !(isSilence(error) && answered > 0)) throw error
    throw new UnansweredBurst(error.code, error.message, { ...factsOf(error), cause: error })
  })
}

/** A sign-in that relied on remembered capabilities. */
export interface RememberedChoice<Mechanism> {
  /** Null: none of the remembered mechanisms could be used. */
  readonly tried: Mechanism | null
  /** Asks the server what it offers today. */
  readonly ask: () => Promise<Capabilities>
  /** Throws when nothing that is offered can be used. */
  readonly choose: (capabilities: Capabilities) => Mechanism
}

/** StaleCapabilities where the capabilities of today lead to another mechanism, else `failure` itself. No second attempt
 *  is made in this session: some servers count attempts (P052). */
export async function staleOr<Mechanism>(
  failure: unknown,
  { tried, ask, choose }: RememberedChoice<Mechanism>,
): Promise<unknown> {
  const { code } = asPopfetchError(failure)
  if (code !== 'ERR_AUTH' && code !== 'ERR_MECHANISM') return failure
  if (tried === null) return new StaleCapabilities(failure)
  // A server that ends the session after the refusal did know the mechanism.
  const today = await ask().catch(() => null)
  return today === null || chosenFrom(today) === tried ? failure : new StaleCapabilities(failure)

  function chosenFrom(capabilities: Capabilities): Mechanism | null {
    try {
      return choose(capabilities)
    } catch {
      return null
    }
  }
}

function isSilence(error: unknown): error is PopfetchError {
  return error instanceof PopfetchError && error.code === 'ERR_TIMEOUT'
}

function isClose(error: unknown): error is PopfetchError {
  return error instanceof PopfetchError && error.code === 'ERR_CONNECT'
}

function factsOf({ scope, retry, pauseMs }: PopfetchError) {
  return { scope, retry, pauseMs }
}
