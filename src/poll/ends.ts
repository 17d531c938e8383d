// Why a poll ends where nothing else says it better.
import type { Account } from '../config/schema.ts'
import { PopfetchError } from '../errors.ts'

/** The tally has the reason, if it is not the signal. */
export function interrupted(signal: AbortSignal): PopfetchError {
  return new PopfetchError('ERR_ABORTED', signal.aborted ? 'interrupted by a signal' : 'the session ended early', {
    scope: 'account',
    retry: 'soon',
  })
}

export function noUidls({ name }: Account): PopfetchError {
  return new PopfetchError(
    'ERR_NO_UIDL',
    `the server has neither UIDL nor TOP, so popfetch could not tell what it already fetched: ${name} cannot be polled`,
    { scope: 'account', retry: 'never' },
  )
}
