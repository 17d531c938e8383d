// The keys of the daemon: how often an account is polled, where HTTP is served, who is told of trouble.
// What they lead to is in daemon/.
import * as z from 'zod'
import { isIP } from 'node:net'
import { isLoopback, parseHost } from '../values/host.ts'
import type { SecretSource } from '../values/secret.ts'
import { formatDuration, parseDuration } from '../values/quantity.ts'
import * as value from '../values/values.ts'

/** Equal when one duration was written. */
export interface PollInterval {
  readonly minMs: number
  readonly maxMs: number
}

/** Where HTTP is served. */
export type Place =
  | { readonly kind: 'port'; readonly host: string; readonly port: number }
  /** A Unix socket, which its owner alone may use. */
  | { readonly kind: 'socket'; readonly path: string }

export interface Listen {
  readonly place: Place
  /** Names by which people reach it, besides the address. */
  readonly hosts: readonly string[]
  /** What whoever asks from another machine must know, and whoever changes something; null: nobody does. */
  readonly token: SecretSource | null
}

/** Nobody asks more often than each second. A timer of Node ends at 24.8 days. */
const INTERVAL_LIMITS = [1000, 20 * 86_400_000] as const

const interval = value.duration(...INTERVAL_LIMITS)

const POLL = `a duration ${INTERVAL_LIMITS.map(formatDuration).join(' to ')} such as 5m, or { min: 1m, max: 30m }`

/** `5m`, or `{ min, max }`: fast after mail came, slower and slower while none does. */
export const poll = z
  .union(
    [
      z.string().regex(/^\d+[smhd]$/, { error: POLL }),
      value
        .mapping({ min: interval, max: interval })
        .refine(({ min, max }) => min <= max, { error: 'a min that is not longer than max' }),
    ],
    { error: POLL },
  )
  .transform((written, context): PollInterval => {
    if (typeof written !== 'string') return { minMs: written.min, maxMs: written.max }
    const ms = value.within(parseDuration(written), ...INTERVAL_LIMITS)
    if (ms !== null) return { minMs: ms, maxMs: ms }
    context.addIssue({ code: 'custom', message: POLL })
    return z.NEVER
  })

const ADDRESS =
  'an address and a port such as 127.0.0.1:9464 or [::1]:9464, or the path of a Unix socket with a / in it'

/** An address, not a name: listening must not depend on a name server. */
const place = value.once((resolve) =>
  value.parsed(ADDRESS, (text): Place | null => {
    if (!text.includes('/') || text.includes('\0')) return portOf(text)
    const path = resolve(text)
    return path === null ? null : { kind: 'socket', path }
  }),
)

function portOf(text: string): Place | null {
  const [, six, four, digits] = /^(?:\[([^\]]+)\]|([^:]+)):(\d{1,5})$/.exec(text) ?? []
  const host = six ?? four ?? ''
  const port = value.within(Number(digits), 0, 65_535)
  return isIP(host) !== (six === undefined ? 4 : 6) || port === null ? null : { kind: 'port', host, port }
}

export function daemon(resolve: value.ResolvePath) {
  return value
    .mapping({
      http: value
        .orNull(place(resolve))
        .describe(
          'Address and port, or Unix socket, of the page (/), /status.json, /metrics (Prometheus), /healthz and /livez; not served by default',
        ),
      metrics: value.orNull(place(resolve)).describe('Old name of http'),
      httpToken: value
        .orNull(value.secret(resolve))
        .describe(
          'Token that the page asks for when http is not a loopback address; POST /wake and /retry always need it',
        ),
      httpHosts: z
        .array(value.parsed('a host name', parseHost), { error: 'a list of host names' })
        .prefault([])
        .describe(
          'Host names under which http may be reached, besides its address; requests for other names are refused',
        ),
      machine: value
        .orNull(value.parsed('a name of letters, digits, ".", "_" and "-"', parseMachine))
        .describe(
          'Name of this machine among those that share a ledger; by default its host name (in a container set one that stays)',
        ),
      onProblem: value
        .orNull(value.program(resolve))
        .describe(
          'Program to run when an account has failed, or a message has waited, for alertAfter, and again on recovery',
        ),
      alertAfter: value
        .duration(60_000, 365 * 86_400_000)
        .prefault('6h')
        .describe('How long an account or destination may fail, or a message may wait, before a notice is sent'),
    })
    .refine(({ http, metrics }) => http === null || metrics === null, {
      error: 'only http: metrics is its old name',
      path: ['metrics'],
    })
    .refine(({ http, metrics, httpToken }) => httpToken !== null || isPrivate(http ?? metrics), {
      error: 'a token: it is served to other machines',
      path: ['httpToken'],
    })
    .prefault({})
    .transform(({ alertAfter, http, metrics, httpHosts, httpToken, machine, onProblem }) => {
      const served = http ?? metrics
      const listen: Listen | null = served === null ? null : { place: served, hosts: httpHosts, token: httpToken }
      return { http: listen, machine, onProblem, alertAfterMs: alertAfter }
    })
}

function parseMachine(text: string): string | null {
  return /^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$/.test(text) ? text : null
}

/** Does nobody reach it but users of this machine? */
export function isPrivate(place: Place | null): boolean {
  return place === null || place.kind === 'socket' || isLoopback(place.host)
}

/** As a configuration writes it. */
export function placeText(place: Place): string {
  if (place.kind === 'socket') return place.path
  return isIP(place.host) === 6 ? `[${place.host}]:${place.port}` : `${place.host}:${place.port}`
}

export function pollText({ minMs, maxMs }: PollInterval): string | { readonly min: string; readonly max: string } {
  const [min, max] = [formatDuration(minMs), formatDuration(maxMs)]
  return min === max ? min : { min, max }
}
