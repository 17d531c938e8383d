// The keys of the background process: how often an account is polled, where HTTP is served, who is told of trouble.
// What they lead to is in daemon/.
import * as z from 'zod'
import { isIP } from 'node:net'
import { parseHost } from './values/host.ts'
import { formatDuration, parseDuration } from './values/quantity.ts'
import * as value from './values/values.ts'

/** Equal when one duration was written. */
export interface PollInterval {
  readonly minMs: number
  readonly maxMs: number
}

export interface Listen {
  readonly host: string
  readonly port: number
  /** Names by which people reach it, besides the address. */
  readonly hosts: readonly string[]
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

const ADDRESS = 'an address and a port such as 127.0.0.1:9464 or [::1]:9464'

/** An address, not a name: listening must not depend on a name server. */
const listen = value.parsed(ADDRESS, (text): Pick<Listen, 'host' | 'port'> | null => {
  const [, six, four, digits] = /^(?:\[([^\]]+)\]|([^:]+)):(\d{1,5})$/.exec(text) ?? []
  const host = six ?? four ?? ''
  const port = value.within(Number(digits), 0, 65_535)
  return isIP(host) !== (six === undefined ? 4 : 6) || port === null ? null : { host, port }
})

const word = z.string({ error: value.WORDS }).regex(/^[^\0]+$/, { error: 'words that are not empty' })

export const daemon = value
  .mapping({
    http: value
      .orNull(listen)
      .describe('Address and port for /metrics (Prometheus) and /healthz; not served by default'),
    metrics: value.orNull(listen).describe('Old name of http'),
    httpHosts: z
      .array(value.parsed('a host name', parseHost), { error: 'a list of host names' })
      .prefault([])
      .describe(
        'Host names under which http may be reached, besides its address; requests for other names are refused',
      ),
    onProblem: value
      .orNull(z.tuple([word], word, { error: value.WORDS }))
      .describe(
        'Program to run when an account has failed, or a message has waited, for alertAfter, and again on recovery',
      ),
    alertAfter: value
      .duration(60_000, 365 * 86_400_000)
      .prefault('6h')
      .describe('How long an account may fail, or a message may wait, before onProblem is run'),
  })
  .refine(({ http, metrics }) => http === null || metrics === null, {
    error: 'http alone, as metrics is its old name',
    path: ['metrics'],
  })
  .prefault({})
  .transform(({ alertAfter, http, metrics, httpHosts, onProblem }) => {
    const address = http ?? metrics
    const listen: Listen | null = address === null ? null : { ...address, hosts: httpHosts }
    return { http: listen, onProblem, alertAfterMs: alertAfter }
  })

/** As a configuration writes it. */
export function listenText({ host, port }: Pick<Listen, 'host' | 'port'>): string {
  return isIP(host) === 6 ? `[${host}]:${port}` : `${host}:${port}`
}

export function pollText({ minMs, maxMs }: PollInterval): string | { readonly min: string; readonly max: string } {
  const [min, max] = [formatDuration(minMs), formatDuration(maxMs)]
  return min === max ? min : { min, max }
}
