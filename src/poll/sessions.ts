// How many sessions a poll takes. Another session follows where the last one could not do everything. A fresh token is needed, the
// server cannot cope with a command, or one message ended the session. Or a session has fetched as much as one should (P154,
// deletions committed in between). None follows where it would bring nothing.
import { setTimeout as pause } from 'node:timers/promises'
import { asPopfetchError, PopfetchError } from '../errors.ts'
import type { Session } from '../pop3/session.ts'
import { TokenRenewal } from './sign-in/token-renewal.ts'
import type { AccountPoll } from './visit.ts'

/** Servers that close a session after a minute or so of silence need a command while a slow destination is at work
 *  (P149). */
const KEEP_ALIVE_MS = 20_000

export interface SessionEnd {
  /** Messages that are to be fetched by another session. */
  readonly left: number
  readonly cut: Cut | null
  /** Would another session have something to do besides the message that ended this one? */
  readonly othersWait: boolean
}

/** Why a session ended without QUIT in the middle of its answers: another session may take the others. */
export interface Cut {
  readonly error: PopfetchError
  /** Were several commands under way at once? */
  readonly pipelined: boolean
  /** All that was asked for had ended a session before. */
  readonly wasExpected: boolean
}

/** This many sessions in a row may bring nothing: more are not worth it in one poll. */
const MOST_BARREN = 12

/** Does `session` with the account's secret until there is no more to do. Never rejects: what ended it is in the tally. */
export async function inSessions(poll: AccountPoll, session: (secret: string) => Promise<SessionEnd>): Promise<void> {
  const { account, tally, history } = poll
  const renewal = new TokenRenewal(account, {
    read: (refused) => history.secret(refused),
    note: (text) => tally.note(text),
  })
  try {
    let barren = 0
    let mayBeHeld = false
    for (let secret = await history.secret(); ;) {
      const before = tally.delivered
      const next = await nextAfter({ secret, mayBeHeld }, session, renewal, poll)
      barren = tally.delivered > before ? 0 : barren + 1
      if (next === null || barren === MOST_BARREN) return
      secret = next.secret
      mayBeHeld = next.atOnce && (history.loginDelaySeconds ?? 0) === 0
      if (!mayBeHeld) await pauseBetween(poll)
      await history.reread()
    }
  } catch (error) {
    tally.fail(asPopfetchError(error))
  } finally {
    poll.suspects.settle(tally)
    poll.endedLooks.settle(tally)
  }
}

interface Next {
  readonly secret: string
  /** The last session did all that one may and ended with an answered QUIT: the next one need not wait. */
  readonly atOnce: boolean
}

/** Does one session. Resolves with the next one; null: none is due. `mayBeHeld`: it follows another one at once, so that the
 *  server may not have let go of the mailbox yet. */
async function nextAfter(
  { secret, mayBeHeld }: { readonly secret: string; readonly mayBeHeld: boolean },
  session: (secret: string) => Promise<SessionEnd>,
  renewal: TokenRenewal,
  poll: AccountPoll,
): Promise<Next | null> {
  const { tally, history } = poll
  const deliveredBefore = tally.delivered
  const later = (next: string | null): Next | null => (next === null ? null : { secret: next, atOnce: false })
  try {
    const end = await session(secret)
    const broughtSome = tally.delivered > deliveredBefore
    if (!goesOn(end, broughtSome, poll)) return null
    return { secret, atOnce: end.cut === null && end.left > 0 && broughtSome }
  } catch (error) {
    if (mayBeHeld && isNotNow(error) && tally.delivered === deliveredBefore) {
      tally.note(error.message)
      return later(secret)
    }
    const { workarounds, rememberedCapabilities } = history
    const workaround = rememberedCapabilities.doubtAfter(error) ?? workarounds.against(error)
    if (workaround !== null) {
      tally.note(workaround)
      return later(secret)
    }
    if (history.hasLongLoginDelay) throw error
    return later(await renewal.renew(secret, error, tally.delivered))
  }
}

/** Busy, locked, not reachable: what a moment may mend. */
function isNotNow(error: unknown): error is PopfetchError {
  return error instanceof PopfetchError && error.scope === 'account' && error.retry === 'soon'
}

/** Is another session due? Throws the error that cut this one, if another would end in the same way. */
function goesOn({ left, cut, othersWait }: SessionEnd, broughtSome: boolean, poll: AccountPoll): boolean {
  const { run, tally, history, suspects, endedLooks } = poll
  const mayGoOn = !run.restrictions.stop.aborted && !history.hasLongLoginDelay
  if (cut !== null) {
    tally.note(cut.error.message)
    if ((cut.wasExpected || !othersWait) && suspects.isContained(cut.wasExpected, tally.delivered > 0))
      return mayGoOn && (suspects.areWaiting || endedLooks.mayTryOne())
    if (!mayGoOn || !othersWait || !suspects.mayFollowCut()) throw cut.error
    if (cut.error.code === 'ERR_POP3_PROTOCOL') history.workarounds.oneAtATime()
    return true
  }
  suspects.endedWell()
  if (tally.error !== null || !mayGoOn) return false
  // After a session that brought nothing, another one will bring nothing either.
  return suspects.areWaiting || (left > 0 && broughtSome) || endedLooks.mayTryOne()
}

/** The server may need a moment to let go of the mailbox (P137). */
async function pauseBetween({ run, tally, history }: AccountPoll): Promise<void> {
  const seconds = Math.max(run.sessionGapSeconds, history.loginDelaySeconds ?? 0)
  tally.note(`reconnecting in ${seconds} s`)
  await pause(seconds * 1000, undefined, { signal: run.signal }).catch(() => {
    throw interrupted(run.signal)
  })
}

/** A session that was ended before its QUIT: by the signal, or for the reason that the tally has. */
export function interrupted(signal: AbortSignal): PopfetchError {
  const reason: unknown = signal.reason
  if (reason instanceof PopfetchError && reason.code === 'ERR_LEASE_LOST') return reason
  return new PopfetchError('ERR_ABORTED', signal.aborted ? 'interrupted by a signal' : 'the session ended early', {
    scope: 'account',
    retry: 'soon',
  })
}

/** Until it is disposed of, an idle session gets NOOP now and then. */
export function keptAlive(session: Session): Disposable {
  const timer = setInterval(() => {
    // A failure shows in the next command.
    if (session.idle) session.noop().catch(() => {})
  }, KEEP_ALIVE_MS)
  return { [Symbol.dispose]: () => clearInterval(timer) }
}
