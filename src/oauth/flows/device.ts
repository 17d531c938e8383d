// The device flow (RFC 8628): the person opens an address anywhere and types a code, and we ask at the pace that is told. It works over
// ssh, in a container, from a telephone.
import { setTimeout as delay } from 'node:timers/promises'
import { display } from '../../display.ts'
import { PopfetchError } from '../../errors.ts'
import { redactor } from '../../redact.ts'
import { Refused } from '../answers.ts'
import type { Granted } from '../granted.ts'
import { checkedUrl, RequestFailure } from '../request.ts'
import { lasting, signInError, type SigningIn } from './flow.ts'

/** RFC 8628 §3.2 and §3.5. */
const USUAL_INTERVAL_S = 5
const SLOWER_S = 5
const LONGEST_INTERVAL_S = 60
const LONGEST_LIFE_S = 3600

/** Resolves when the person has allowed it. Rejects with ERR_AUTH when they or the provider refused, with ERR_TIMEOUT when the code
 *  ended, with the reason of the person's signal. */
export async function signInByDevice(signingIn: SigningIn): Promise<Granted> {
  try {
    return lasting(await byDevice(signingIn), signingIn)
  } catch (error) {
    throw signInError(error, signingIn)
  }
}

async function byDevice({ provider, user, person, pause = waited }: SigningIn): Promise<Granted> {
  const { signal } = person
  const begun = await provider.beginDevice(signal)
  const { device_code: code, user_code: userCode, verification_uri: address, interval } = begun
  redactor.add(code, 'a device code')
  const place = checkedUrl(address, 'the address to open')
  person.show(`to sign in ${display(user)} at ${provider.name}, open this address in any browser, and type the code:`)
  // A line of its own, whole, so that it can be copied and clicked.
  person.show(display(place.href, 2048))
  person.show(`code: ${display(userCode, 100)}`)
  let seconds = inBounds(interval, USUAL_INTERVAL_S, LONGEST_INTERVAL_S)
  let left = inBounds(begun.expires_in, LONGEST_LIFE_S, LONGEST_LIFE_S)
  while (left > 0) {
    await pause(seconds * 1000, signal)
    left -= seconds
    try {
      return await provider.askDevice(code, signal)
    } catch (error) {
      // RFC 8628 §3.5: what cannot be reached now is asked more slowly.
      const isAway = error instanceof RequestFailure && (error.code === 'ERR_CONNECT' || error.code === 'ERR_TIMEOUT')
      const said = error instanceof Refused ? error.refusal.error : null
      if (said === 'slow_down' || isAway) seconds = Math.min(seconds + SLOWER_S, LONGEST_INTERVAL_S)
      else if (said === 'expired_token') break
      else if (said !== 'authorization_pending') throw error
    }
  }
  throw new PopfetchError('ERR_TIMEOUT', 'nobody typed the code before it expired: start again', {
    scope: 'account',
    retry: 'soon',
  })
}

function inBounds(seconds: number | undefined, usual: number, most: number): number {
  if (seconds === undefined || !Number.isFinite(seconds) || seconds <= 0) return usual
  return Math.min(Math.max(1, seconds), most)
}

async function waited(ms: number, signal: AbortSignal): Promise<void> {
  await delay(ms, undefined, { signal })
}
