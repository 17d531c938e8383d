// The server of the mailbox that `init` sets up: found from the address or named, its port and TLS mode tried, its certificate
// looked at. No name and no password is sent here.
import { display } from '../../../display.ts'
import { asPopfetchError, type PopfetchError } from '../../../errors.ts'
import { silentLog } from '../../../log.ts'
import { firstSteps, type Provider, providerAt } from '../../../providers.ts'
import {
  discover,
  type Discovery,
  firstGreeting,
  type Greets,
  type Lookups,
  type Place,
  usualNames,
  usualPlaces,
} from '../../../setup/discover.ts'
import type { Answers } from '../../terminal/answers.ts'
import { usageError } from '../../command-errors.ts'
import type { Surroundings } from '../../surroundings.ts'
import type { InitRequest } from './options.ts'
import * as question from './questions.ts'
import { certificateIn, decide, isUntrusted, NO_PIN, type Trust, USUAL_TRUST } from './trust.ts'
import { usualAccount } from '../../open/usual-account.ts'

export interface Suggested {
  readonly host: string | null
  /** False: only the DNS names the host. It is not taken on Enter alone (RFC 6186 section 6). */
  readonly trusted: boolean
  readonly port: number | null
  readonly tls: 'implicit' | 'starttls' | 'none'
  readonly user: string
  readonly provider: Provider | null
  /** What was decided of its certificate; absent: nothing yet. */
  readonly trust?: Trust
}

export interface Server extends Trust {
  readonly host: string
  /** Null: the usual port. */
  readonly port: number | null
  readonly tls: Suggested['tls']
}

export interface Means {
  readonly answers: Answers
  readonly surroundings: Surroundings
  readonly lookups: Lookups
}

/** Each attempt; a person waits. */
const LONGEST_MS = 5000

/** How `discover` asks the network, and tries servers. */
export async function lookupsOf({ env, signal }: Pick<Surroundings, 'env' | 'signal'>): Promise<Lookups> {
  const { networkLookups } = await import('../../../setup/lookups.ts')
  const greets = async (place: Place, enough: AbortSignal): Promise<Greets> => {
    const means = { env, signal: AbortSignal.any([signal, enough]) }
    const error = await met({ ...place, ...USUAL_TRUST }, means)
    if (error === null) return 'yes'
    if (isUntrusted(error)) return 'untrusted'
    const isPlain = error.code === 'ERR_TLS' && place.tls === 'starttls'
    return isPlain && (await met({ ...place, ...USUAL_TRUST, tls: 'none' }, means)) === null ? 'plain' : 'no'
  }
  return { ...networkLookups(signal), greets }
}

/** Looks for the server unless it was named. Rejects with ERR_USAGE when only DNS names one and nobody can be asked. */
export async function serverOf(
  address: string,
  { host, port, tls, quiet }: InitRequest & { readonly quiet: boolean },
  { answers, surroundings, lookups }: Means,
): Promise<Suggested> {
  const { output } = surroundings
  if (host !== null) return { host, port, tls: tls ?? 'implicit', user: address, provider: null, trusted: true }
  if (!quiet && answers.person) output.say(`Looking for the POP3 server of ${display(address)} …`)
  const { server, provider, trusted, missing } = await discover(address, lookups)
  const steps = provider === null ? null : firstSteps(provider)
  if (provider !== null && provider.pop === null) {
    output.say(`${provider.name} offers no POP3; popfetch can only use it through a POP3 bridge`)
  } else if (provider !== null && steps !== null && !quiet) output.say(`${provider.name}: ${steps}`)
  if (server === null && !quiet) output.say(notFoundText(address, provider, missing))
  if (server !== null && !trusted && !answers.person) {
    const why = 'only the DNS names it, and the DNS can be forged'
    throw usageError(
      `the server of ${display(address)} seems to be ${server.host}: ${why}. If it is right, give it with --host`,
    )
  }
  if (server === null) return { host: null, port, tls: tls ?? 'implicit', user: address, provider, trusted }
  if (!trusted) {
    output.say(
      `only the DNS names a server for ${display(address)}: ${server.host}, which is outside its domain, and the DNS can be forged: type that name only if you know it from elsewhere`,
    )
  } else if (answers.person) output.say(`Found ${server.host}:${server.port}, tls: ${server.tls} (by ${server.from})`)
  return { host: server.host, port: port ?? server.port, tls: tls ?? server.tls, user: server.user, provider, trusted }
}

/** What was looked for in vain, so that a person need not try it again. */
function notFoundText(address: string, provider: Provider | null, missing: Discovery['missing']): string {
  if (missing === 'offline')
    return `no server could be looked up for ${display(address)}: the DNS does not answer; is this machine online?`
  if (missing !== undefined) return plainText(missing)
  const none = `no POP3 server was found for ${display(address)}`
  if (provider !== null) return none
  const [first, second, third] = usualNames(address.slice(address.lastIndexOf('@') + 1).toLowerCase()).map((name) =>
    display(name),
  )
  return `${none}: the DNS and the domain name none, and ${first}, ${second} and ${third} do not answer on ports 995 and 110`
}

function plainText({ host, port }: Place): string {
  return `${display(host)} answers on port ${port}, but without TLS: a password sent there can be read on the way`
}

/** Asks for the server until its certificate is trusted, or the person says how it is. */
export async function chosenServer(suggested: Suggested, given: InitRequest, means: Means): Promise<Server> {
  const { answers, surroundings } = means
  const { ca, pin } = given
  for (let asked = given, known = suggested; ;) {
    const host = await answers.to(question.host(known.trusted ? known.host : null), asked.host)
    const place = await placeAt(host, known, asked, means)
    const isSame = host === known.host && place.port === known.port
    const before = isSame && known.trust !== undefined ? known.trust : USUAL_TRUST
    if (before.ca !== null || before.pin !== null) return { ...place, ...before }
    const server = { ...place, ca, pin }
    if (!answers.person || given.untested || place.tls === 'none' || ca !== null || pin !== null) return server
    const trust = await trusted(server, answers, surroundings)
    if (trust !== 'another') return { ...server, ...trust }
    asked = { ...given, host: null, port: null, tls: null }
    known = { ...known, host, port: place.port, tls: place.tls, trusted: true }
  }
}

/** Port and TLS mode: as given, else as a person says, with what was found as the default. */
async function placeAt(
  host: string,
  { host: found, port, tls }: Suggested,
  given: InitRequest,
  { answers, surroundings, lookups }: Means,
): Promise<Omit<Server, 'ca' | 'pin'>> {
  // A port that was found belongs to the server that was found.
  const isFound = host === found
  if (!answers.person || given.port !== null || given.tls !== null) {
    return { host, port: given.port ?? (isFound ? port : null), tls: given.tls ?? (isFound ? tls : 'implicit') }
  }
  const isLooked = !isFound || port === null
  if (isLooked && lookups.greets !== undefined) surroundings.output.say(`Looking for POP3 at ${display(host)} …`)
  const greeting = isLooked ? await firstGreeting(usualPlaces([host]), lookups) : null
  if (greeting !== null && greeting.place === null && lookups.greets !== undefined) {
    const none = `no POP3 server answers at ${display(host)} on ports 995 and 110`
    surroundings.output.say(greeting.plain === null ? none : plainText(greeting.plain))
  }
  const usual = greeting?.place ?? (isFound && port !== null ? { port, tls } : null)
  const typed = await answers.to(question.endpoint(usual), null)
  if (typed.tls !== null) return { host, port: typed.port, tls: typed.tls }
  // A port of its own: how a server greets there.
  const [first, second] = usualPlaces([host]).map((place) => ({ ...place, port: typed.port }))
  const places = [first, second].filter((place) => place !== undefined)
  return { host, port: typed.port, tls: (await firstGreeting(places, lookups)).place?.tls ?? 'implicit' }
}

/** Connects, and asks what to do about a certificate that is not trusted. What else is wrong, the sign-in will tell. */
async function trusted(server: Server, answers: Answers, surroundings: Surroundings): Promise<Trust | 'another'> {
  const error = await met(server, surroundings)
  if (error === null || !isUntrusted(error)) return USUAL_TRUST
  const facts = certificateIn(await met({ ...server, ca: null, pin: NO_PIN }, surroundings))
  if (facts === null) return USUAL_TRUST
  return await decide({ facts, why: error.message, host: server.host }, answers, surroundings)
}

/** What a connection meets that sends neither a name nor a password; null: nothing is in its way. */
async function met(
  { host, port, tls, ca, pin }: Server,
  { env, signal }: Pick<Surroundings, 'env' | 'signal'>,
): Promise<PopfetchError | null> {
  const { connect } = await import('../../../poll/sign-in/connect.ts')
  const limited = AbortSignal.any([signal, AbortSignal.timeout(LONGEST_MS)])
  const place = { host, tls, ca, pin, port: port ?? (tls === 'implicit' ? 995 : 110), timeoutMs: LONGEST_MS }
  const workarounds = { pipelining: true, capabilities: true }
  try {
    await using session = await connect(
      { ...usualAccount(), ...place },
      { log: silentLog, env, workarounds, signal: limited },
    )
    await session.quit()
    return null
  } catch (error) {
    signal.throwIfAborted()
    return asPopfetchError(error)
  }
}

/** The provider whose server it is. */
export function providerFor({ host }: Server, { provider, user }: Suggested): Provider | null {
  return provider ?? providerAt(host, user)
}
