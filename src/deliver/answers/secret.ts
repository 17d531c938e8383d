// A destination's secret that is not available: no server was asked, and the error itself says what it means for the mail. Of a sign-in
// at a provider it says whether that one refused, or cannot be reached.
import type { Conclusion, ErrorCode, PopfetchError } from '../../errors.ts'
import { concluded, type Concluded } from './conclusions.ts'

const OF_PROVIDER: ReadonlyMap<ErrorCode, readonly [Conclusion, 75 | 76 | 77]> = new Map([
  ['ERR_AUTH', ['SIGN', 77]],
  ['ERR_PROVIDER', ['SIGN', 76]],
  ['ERR_TLS', ['SIGN', 76]],
  ['ERR_CONNECT', ['DOWN', 75]],
  ['ERR_TIMEOUT', ['DOWN', 75]],
])

/** `same` of an answer which says that the sign-in at the provider has ended, or was never made: only a person can go on. */
export const NO_SIGN_IN = 'no sign-in'

export function concludeSecret({ code, retry, pauseMs }: PopfetchError, row: string): Concluded {
  const [conclusion, exit] = OF_PROVIDER.get(code) ?? ['SIGN', retry === 'never' ? 78 : 75]
  const same = code === 'ERR_AUTH' && retry === 'never' ? NO_SIGN_IN : row
  return concluded(conclusion, row, { exit, pauseMs, same })
}
