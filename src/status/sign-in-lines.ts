// How sign-ins stand, in words and as JSON, for `auth --list` and `status`. Pure.
import { display, localStamp } from '../display.ts'
import { PopfetchError } from '../errors.ts'
import type { SignInState } from '../oauth/oauth.ts'
import { iso } from './words/moment.ts'

export interface Listed {
  readonly client: string
  readonly user: string
  readonly accounts: readonly string[]
  readonly destinations: readonly string[]
  /** An administrator has allowed it once for all. */
  readonly needsNobody: boolean
  /** An error: its file cannot be trusted. */
  readonly state: SignInState | PopfetchError
}

/** Those of which a person should know: ended, ending soon, not usable. */
export function troubled(listed: readonly Listed[]): readonly Listed[] {
  return listed.filter(
    ({ state }) => state instanceof PopfetchError || state.state === 'ended' || state.state === 'ends-soon',
  )
}

export function listLines(listed: readonly Listed[]): readonly string[] {
  return listed.map((one) => `${signInName(one)}: ${stateText(one)}`)
}

/** Who signs in where, for what. */
export function signInName({ user, client, accounts, destinations }: Listed): string {
  const shared = [...accounts, ...destinations]
  const whose = shared.length === 0 ? 'no longer used' : shared.join(', ')
  return `${display(user)} via ${client} (${whose})`
}

export function stateText({ state, needsNobody }: Listed): string {
  if (state instanceof PopfetchError) return `not usable: ${state.message}`
  const { sinceMs, untilMs, error } = state
  const since = sinceMs === null ? '' : ` since ${localStamp(sinceMs)}`
  const until = untilMs === null ? '' : `, until ${localStamp(untilMs)}`
  switch (state.state) {
    case 'none':
      return needsNobody ? 'signs in by itself' : 'not signed in: popfetch auth'
    case 'ended':
      return `ended: ${display(error ?? '', 1000)}`
    case 'ends-soon':
      return `signed in${since}${until}: it ends soon: popfetch auth`
    case 'ok':
      return needsNobody ? `signs in by itself${since}` : `signed in${since}${until}`
  }
}

export function listedJson({ client, user, accounts, destinations, state }: Listed): object {
  if (state instanceof PopfetchError) {
    return { client, user, accounts, destinations, since: null, until: null, state: 'unusable', error: state.message }
  }
  const { sinceMs, untilMs, state: name, error } = state
  return { client, user, accounts, destinations, since: iso(sinceMs), until: iso(untilMs), state: name, error }
}
