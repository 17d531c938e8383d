// Sessions that ended in a way another session may get round: facts about the server for who decides whether to try. The
// words are those of what happened. The one rule: nothing here is a judgement about a password or a message.
import { PopfetchError } from '../errors.ts'

/** CAPA got no answer: silence, or the end of the connection (P032). */
export class UnansweredCapabilities extends PopfetchError {
  override readonly name: string = 'UnansweredCapabilities'
}

/** Of the first commands that were sent together not all were answered (P143). */
export class UnansweredBurst extends PopfetchError {
  override readonly name: string = 'UnansweredBurst'
}

/** A message ended so early that what came after it, in answer to other commands, may be the rest of it (P113). */
export class DoubtfulAnswers extends PopfetchError {
  override readonly name: string = 'DoubtfulAnswers'

  constructor(reason: string) {
    super('ERR_POP3_PROTOCOL', `a message is ${reason}: what the server said after it is not to be trusted`, {
      scope: 'account',
      retry: 'soon',
    })
  }
}

/** No answer to CAPA → UnansweredCapabilities; anything else as it is. */
export function capabilitiesDoubt(error: unknown): unknown {
  if (!isSilence(error) && !isClose(error)) return error
  return new UnansweredCapabilities(error.code, error.message, { ...factsOf(error), cause: error })
}

/** `all`, whose commands went out together; where it fails after some of `parts` were answered: UnansweredBurst. Silence from
 *  the first on is no sign of anything but a server that hangs. */
export function inBurst<T>(all: Promise<T>, parts: readonly Promise<unknown>[]): Promise<T> {
  let answered = 0
  const count = (): void => void answered++
  for (const part of parts) void part.then(count, () => {})
  return all.catch((error: unknown) => {
    if (!isClose(error) && !(isSilence(error) && answered > 0)) throw error
    throw new UnansweredBurst(error.code, error.message, { ...factsOf(error), cause: error })
  })
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
