// Node looks at each host with a regular expression for IPv6 addresses. V8 takes 4 ms to compile that one with care, more than an idle poll
// takes to sign in; without care it takes 0.2 ms, and each use some hundred nanoseconds more. So it is compiled here once, before any
// connection. It sets flags of V8 for that moment, so only in a process of our own, as garbage.ts does.
import { isIPv6 } from 'node:net'
import { setFlagsFromString } from 'node:v8'
import { isOurProcess } from './own-process.ts'

const CARE = ['regexp-optimization', 'regexp-tier-up']

let isCompiled = false

/** Called before a connection to a host that has a name, or may have one. */
export function compileAddressForm(): void {
  if (!isOurProcess() || isCompiled) return
  isCompiled = true
  for (const flag of CARE) setFlagsFromString(`--no-${flag}`)
  // Neither of a form that the expression could be left early with.
  isIPv6('localhost')
  isIPv6('::1')
  for (const flag of CARE) setFlagsFromString(`--${flag}`)
}
