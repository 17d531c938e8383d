// A certificate that this machine does not trust: its owner, and what a person decides. Nothing secret was sent yet.
import { resolvePath } from '../../../config/paths.ts'
import { pem } from '../../../config/values/secret.ts'
import { display } from '../../../display.ts'
import { asPopfetchError, errnoOf } from '../../../errors.ts'
import { AnotherCertificate, type TlsFacts } from '../../../pop3/network/tls-facts.ts'
import type { Answers } from '../../terminal/answers.ts'
import type { Surroundings } from '../../surroundings.ts'
import * as question from './questions.ts'

/** What the configuration says of a certificate; both null: the system's authorities decide. */
export interface Trust {
  readonly ca: string | null
  readonly pin: readonly string[] | null
}

export const USUAL_TRUST: Trust = { ca: null, pin: null }

/** Matches no certificate: a connection with it shows the certificate, and goes no further. */
export const NO_PIN: readonly string[] = ['0'.repeat(64)]

const CERTIFICATE_CODE = /^(?:CERT_|DEPTH_ZERO_|SELF_SIGNED_|UNABLE_TO_|ERR_TLS_CERT_)/

/** Was there TLS, with a certificate that is not trusted? */
export function isUntrusted(error: unknown): boolean {
  return causes(error).some((cause) => cause instanceof AnotherCertificate || CERTIFICATE_CODE.test(codeOf(cause)))
}

/** The certificate that an attempt with NO_PIN has met; null: it met none. */
export function certificateIn(error: unknown): TlsFacts | null {
  for (const cause of causes(error)) {
    if (typeof cause !== 'object' || cause === null || !('facts' in cause)) continue
    const { facts } = cause
    if (isFacts(facts)) return facts
  }
  return null
}

function isFacts(value: unknown): value is TlsFacts {
  return typeof value === 'object' && value !== null && 'fingerprint' in value
}

function codeOf(cause: unknown): string {
  const original = typeof cause === 'object' && cause !== null && 'originalCode' in cause ? cause.originalCode : null
  return typeof original === 'string' ? original : (errnoOf(cause) ?? '')
}

/** It, why, why that … */
function causes(error: unknown): readonly unknown[] {
  const found: unknown[] = []
  for (let at = error; at instanceof Error && found.length < 10; at = at.cause) found.push(at)
  return found
}

/** Shows the certificate and asks. `another`: another server is to be named. */
export async function decide(
  { facts, why, host }: { readonly facts: TlsFacts; readonly why: string; readonly host: string },
  answers: Answers,
  surroundings: Pick<Surroundings, 'cwd' | 'env' | 'output' | 'nowMs'>,
): Promise<Trust | 'another'> {
  const { cwd, env, output } = surroundings
  // The question says what to do about it.
  const reason = why.replace(/: (?:check it, then )?(?:set (?:ca|pin)|use a host).*$/s, '')
  output.say(`The certificate of ${display(host)} is not trusted here: ${reason}`)
  const { certificateFindings } = await import('../../../poll/check/findings.ts')
  for (const { name, value } of certificateFindings(facts, surroundings.nowMs())) output.say(`  ${name}: ${value}`)
  output.say('Compare the SHA-256 with what the owner of the server says.')
  for (;;) {
    const answer = await answers.to(question.trust, null)
    if (answer === 'another') return 'another'
    if (answer === 'pin') return { ca: null, pin: [facts.fingerprint] }
    const ca = resolvePath(answer.ca, cwd, env)
    try {
      await pem(ca)
      return { ca, pin: null }
    } catch (error) {
      output.say(asPopfetchError(error).message)
    }
  }
}
