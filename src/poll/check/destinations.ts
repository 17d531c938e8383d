// Tries destinations without a message (`popfetch check`): each place once, whatever it is called, for all accounts that deliver
// there. How a kind is tried, its `probe` says (deliver/destination.ts).
import { kindOf } from '../../config/destinations/destinations.ts'
import { useOf } from '../../config/oauth/use.ts'
import type { Account, Configuration } from '../../config/schema.ts'
import { FIRST_OF } from '../../config/values/written.ts'
import { Slots } from '../../deliver/slots.ts'
import { asPopfetchError, type PopfetchError } from '../../errors.ts'
import type { Advice, Finding, ReportedError } from '../report.ts'
import { reportError, reportOnce } from '../report.ts'
import { Destinations, type Target } from '../run/destinations.ts'
import type { RunRequest } from '../run/run.ts'
import { applicationAdvice } from './application.ts'
import { tlsFindings } from './findings.ts'

/** This many are tried at once: each may be a server. */
const AT_ONCE = 16

export interface DestinationReport {
  /** As in the configuration. */
  readonly destination: string
  /** "maildir ~/Mail"; '' when it could not even be opened. */
  readonly description: string
  readonly outcome: 'ok' | 'failed'
  readonly error: ReportedError | null
  /** How many places it has: with `{account}` one for each account. */
  readonly places: number
  readonly durationMs: number
  /** Of its first place. */
  readonly findings: readonly Finding[]
  readonly warnings: readonly string[]
  /** Likely causes of its failure, the likeliest first. */
  readonly advice: readonly Advice[]
}

/** The destinations that these accounts deliver to, in the order of the configuration; of several as one, each of them. */
export function destinationsOf(accounts: readonly Account[], configuration: Configuration): readonly string[] {
  const used = new Set(accounts.flatMap((account) => namesFor(account, configuration)))
  return [...configuration.destinations.keys()].filter((name) => used.has(name))
}

/** What a name stands for: itself, or of several as one each of them. */
export function membersOf(name: string, { destinations }: Configuration): readonly string[] {
  const config = destinations.get(name)
  return config?.type === FIRST_OF ? config.of : [name]
}

function namesFor({ deliver, route }: Account, configuration: Configuration): readonly string[] {
  return [deliver, ...route.map((rule) => rule.deliver)].flat().flatMap((name) => membersOf(name, configuration))
}

/** Reports in the order of `names`; `told` is called with each as it comes. Never rejects: what went wrong is in the report. */
export async function checkDestinations(
  request: RunRequest,
  names: readonly string[],
  told: (report: DestinationReport) => void = () => {},
): Promise<readonly DestinationReport[]> {
  await using destinations = new Destinations(request.configuration, request.env, Date.now)
  const slots = new Slots(AT_ONCE)
  const check = async (name: string): Promise<DestinationReport> => {
    const report = await new Trial(name, request, destinations, slots).run()
    told(report)
    return report
  }
  return await Promise.all(names.map(check))
}

class Trial {
  readonly #name: string
  readonly #request: RunRequest
  readonly #destinations: Destinations
  readonly #slots: Slots
  #description = ''

  constructor(name: string, request: RunRequest, destinations: Destinations, slots: Slots) {
    this.#name = name
    this.#request = request
    this.#destinations = destinations
    this.#slots = slots
  }

  async run(): Promise<DestinationReport> {
    const startMs = performance.now()
    const places = new Map<string, Promise<Tried>>()
    const opened = await Promise.all(this.#users().map((account) => this.#opened(account)))
    for (const { key, target, error } of opened) {
      if (places.has(key)) continue
      const tried = target === null ? Promise.resolve({ ...NOTHING, error }) : this.#tried(target)
      places.set(key, tried)
    }
    const all = await Promise.all(places.values())
    const failed = all.find(({ error }) => error !== null)
    const [first = NOTHING] = all
    return {
      destination: this.#name,
      description: this.#description,
      outcome: failed === undefined ? 'ok' : 'failed',
      error: failed === undefined || failed.error === null ? null : reportOnce(failed.error),
      places: places.size,
      durationMs: Math.round(performance.now() - startMs),
      findings: first.findings,
      warnings: [...new Set(all.flatMap(({ warnings }) => warnings))],
      advice: failed === undefined || failed.error === null ? [] : this.#advice(failed.error),
    }
  }

  /** Of a mail server that refuses the token of an application. What the provider refuses, says by itself what to do. */
  #advice(error: PopfetchError): readonly Advice[] {
    const { destinations, oauth } = this.#request.configuration
    const config = destinations.get(this.#name)
    if (config === undefined || config.type === FIRST_OF || !('token' in config) || config.token?.kind !== 'oauth')
      return []
    const use = useOf(config.type)
    const isRefused = reportError(error).exit === 77 && !error.message.includes('popfetch auth')
    const isApplication = oauth.get(config.token.client)?.flow === 'client-credentials'
    return isRefused && isApplication && use !== 'gmail' ? applicationAdvice(use) : []
  }

  /** The accounts that deliver there. A destination that no account delivers to is tried as the first account would use it. */
  #users(): readonly Account[] {
    const { configuration, accounts } = this.#request
    const uses = (account: Account): boolean => namesFor(account, configuration).includes(this.#name)
    const asked = accounts.filter(uses)
    if (asked.length > 0) return asked
    const others = configuration.accounts.filter(uses)
    return others.length > 0 ? others : configuration.accounts.slice(0, 1)
  }

  async #opened(account: Account): Promise<{ key: string; target: Target | null; error: PopfetchError | null }> {
    try {
      const target = await this.#destinations.target(this.#name, account)
      // Recipients that have the account's name in them are others at the same server.
      const { description, recipients } = target.destination
      this.#description = description
      return { key: [target.part, ...recipients].join('\0'), target, error: null }
    } catch (error) {
      return { key: `failed ${account.name}`, target: null, error: asPopfetchError(error, 'destination') }
    }
  }

  async #tried({ destination, key }: Target): Promise<Tried> {
    const { signal, ledger } = this.#request
    const leave = await this.#slots.take(signal).catch(() => null)
    try {
      const wasThere = await this.#destinations.isKnown(key, ledger)
      const { tls, findings, warnings } = await destination.probe(signal, wasThere)
      const secured = tls === null ? [] : tlsFindings(tls, Date.now())
      return { error: null, findings: [...this.#server(), ...secured, ...findings], warnings }
    } catch (error) {
      return { ...NOTHING, error: asPopfetchError(error, 'destination'), findings: this.#server() }
    } finally {
      leave?.()
    }
  }

  #server(): readonly Finding[] {
    const config = this.#request.configuration.destinations.get(this.#name)
    if (config === undefined || config.type === FIRST_OF || !('tls' in config)) return []
    const { host, port, tls } = config
    const unencrypted = kindOf(config).unencryptedTo(config)
    const value = `${host}:${port}, tls: ${tls}${unencrypted === null ? '' : ' (mail goes unencrypted)'}`
    return 'socketPath' in config && config.socketPath !== null ? [] : [{ name: 'server', value }]
  }
}

interface Tried {
  readonly error: PopfetchError | null
  readonly findings: readonly Finding[]
  readonly warnings: readonly string[]
}

const NOTHING: Tried = { error: null, findings: [], warnings: [] }
