// What imapflow and the network throw, in the words of fault.ts. It reads codes, and words only where imapflow has no code.
import { NoAnswer } from '../disk/time-limit.ts'
import type { ImapStep } from '../answers/imap.ts'
import { connectionFault, dial, NetworkFailure, OtherLeaf, type Peer } from '../network/dial.ts'
import { type Fault, ImapFailure, NO_STARTTLS } from './fault.ts'
import { NotImap, Stalled } from './wire.ts'

const TIMEOUTS: ReadonlySet<string> = new Set(['CONNECT_TIMEOUT', 'GREETING_TIMEOUT', 'UPGRADE_TIMEOUT', 'ETIMEOUT'])
const NONSENSE: ReadonlySet<string> = new Set([
  'InvalidResponse',
  'UnexpectedTag',
  'LiteralTooLarge',
  'LineTooLong',
  'ResponseTooLarge',
  'TooManyTokens',
  'ResponseProcessingFailed',
])
/** imapflow's own words for a server that does not offer what is needed. */
const UNFIT = /login is disabled|unsupported authentication|no matching authentication|starttls|certificate|tls/i

export function codeOf(thrown: unknown): { readonly code: string } {
  const code = typeof thrown === 'object' && thrown !== null && 'code' in thrown ? thrown.code : ''
  return { code: typeof code === 'string' ? code : '' }
}

/** Where a session that did not come to be had got to. */
export function stepOf(thrown: unknown, handed: number, step: ImapStep): ImapStep {
  if (typeof thrown === 'object' && thrown !== null) {
    if ('authenticationFailed' in thrown) return 'sign-in'
    if ('tlsFailed' in thrown) return step === 'TLS' ? 'TLS' : 'STARTTLS'
  }
  // Before the first command nothing but the greeting was awaited.
  return step === 'greeting' && handed > 0 ? 'sign-in' : step
}

/** `cause`: why the connection failed, where the stream knows it best. */
export function faultOf(thrown: unknown, cause: Error | null, inTls: boolean): Fault {
  if (thrown instanceof NoAnswer) return { kind: 'silence', text: thrown.message }
  if (cause instanceof NotImap) return { kind: 'nonsense', text: cause.message }
  if (cause instanceof OtherLeaf) return cause.fault
  if (cause instanceof Stalled) return { kind: 'silence', text: cause.message }
  const error = cause ?? (thrown instanceof Error ? thrown : new Error(String(thrown)))
  const { code } = codeOf(thrown)
  if (TIMEOUTS.has(code)) return { kind: 'silence', text: error.message }
  if (NONSENSE.has(code)) return { kind: 'nonsense', text: error.message }
  if (/does not support STARTTLS/i.test(error.message)) return { kind: 'unfit', text: NO_STARTTLS }
  if (UNFIT.test(error.message) || code === 'STARTTLS_INJECTION') return { kind: 'unfit', text: error.message }
  const fault = connectionFault(error, inTls)
  return { kind: fault.kind === 'unfit' ? 'unfit' : 'cut', text: fault.text }
}

/** Rejects with ImapFailure. */
export async function dialled(peer: Peer, limits: { connectMs: number; tlsMs: number }, signal: AbortSignal) {
  try {
    return await dial(peer, limits, signal)
  } catch (error) {
    if (!(error instanceof NetworkFailure)) throw error
    const { step, fault } = error
    const kind =
      fault.kind === 'timeout' ? 'silence' : fault.kind === 'unfit' || fault.kind === 'stopped' ? fault.kind : 'cut'
    throw new ImapFailure(step, { kind, text: fault.text }, { cause: error })
  }
}
