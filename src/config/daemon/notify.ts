// Who is told of what happens, and how (DESIGN 3, `notify`). What is told, and when, is daemon/notify/.
// An address often is a secret (the topic of ntfy, the id of a check): it is shown nowhere.
import { isDeepStrictEqual } from 'node:util'
import * as z from 'zod'
import { SecretText, type SecretSource, sourceKeys, commandName } from '../values/secret.ts'
import * as value from '../values/values.ts'
import type { Written } from '../values/written.ts'

export const NOTICE_EVENTS = ['problem', 'recovery', 'refused', 'held', 'sign-in', 'process', 'success'] as const
export type NoticeEvent = (typeof NOTICE_EVENTS)[number]

const USUAL: readonly NoticeEvent[] = ['problem', 'recovery', 'refused', 'held', 'sign-in', 'process']

/** One of the four ways to tell. */
export type Way =
  | { readonly kind: 'run'; readonly run: readonly string[] }
  | {
      readonly kind: 'url'
      readonly url: SecretSource
      readonly json: boolean
      readonly headers: Readonly<Record<string, SecretSource>>
    }
  | { readonly kind: 'mail'; readonly destination: string }
  /** Nothing is told there: it is asked after each round, and misses being asked. */
  | { readonly kind: 'ping'; readonly url: SecretSource }

export interface Notifier {
  readonly on: readonly NoticeEvent[]
  readonly way: Way
}

const URL_WORDS = 'an http:// or https:// address, or where to read it ({ env }, { file }, { command }, { credential })'

/** All who are told: those of `notify`, and the program of `daemon.onProblem`, which is one of them, told of problems and recoveries. A
 *  program that `notify` names for problems as well is told once. */
export function notifiersOf({ notify: entries, daemon }: Told): readonly Notifier[] {
  const { onProblem } = daemon
  const isNamed = entries.some(
    ({ on, way }) => way.kind === 'run' && on.includes('problem') && isDeepStrictEqual(way.run, onProblem),
  )
  if (onProblem === null || isNamed) return entries
  return [...entries, { on: ['problem', 'recovery'], way: { kind: 'run', run: onProblem } }]
}

interface Told {
  readonly notify: readonly Notifier[]
  readonly daemon: { readonly onProblem: readonly string[] | null }
}

/** What must hold of the address itself, wherever it comes from. */
export function isHttpUrl(text: string): boolean {
  if (!URL.canParse(text)) return false
  const { protocol, username, password } = new URL(text)
  // A password in it would reach logs of others: a header can hold it.
  return (protocol === 'https:' || protocol === 'http:') && username === '' && password === ''
}

const address = value.once((resolve) =>
  value
    .secret(resolve)
    .refine((source) => !(source instanceof SecretText) || isHttpUrl(source.reveal()), { error: URL_WORDS }),
)

const WAYS = ['run', 'url', 'mail', 'ping'] as const

const ONE_WAY = 'one of run: [program, argument], url: ADDRESS, mail: DESTINATION and ping: ADDRESS'

const HEADER = /^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}$/

export function notify(resolve: value.ResolvePath) {
  const entry = value
    .mapping({
      on: z
        .array(z.enum(NOTICE_EVENTS, { error: `one of ${NOTICE_EVENTS.join(', ')}` }), { error: 'a list of events' })
        .prefault([...USUAL])
        .describe('Events that it reports'),
      run: value
        .orNull(value.program(resolve))
        .describe('Program to run; its environment has POPFETCH_EVENT, POPFETCH_MESSAGE and more'),
      url: value
        .orNull(address(resolve))
        .describe('Address to which a short text is posted, with the title in the field Title'),
      json: value.flag.prefault(false).describe('With url: posts an object instead of a text'),
      headers: z
        .record(z.string().regex(HEADER, { error: 'names of header fields' }), value.secret(resolve), {
          error: 'a mapping of header fields to texts or secrets',
        })
        .prefault({})
        .describe('With url: header fields of the request; they may hold secrets'),
      mail: value
        .orNull(z.string({ error: 'the name of a destination' }).min(1, { error: 'the name of a destination' }))
        .describe('Destination to which a short message is delivered'),
      ping: value
        .orNull(address(resolve))
        .describe('Address to request after each round of polls if all is well; with /fail added if not'),
    })
    .refine((written) => WAYS.filter((way) => written[way] !== null).length === 1, { error: ONE_WAY })
    .refine((written) => written.url !== null || (!written.json && Object.keys(written.headers).length === 0), {
      error: 'json and headers only with url',
    })
    .transform(({ on, run, url, json, headers, mail, ping }): Notifier => {
      if (run !== null) return { on, way: { kind: 'run', run } }
      if (url !== null) return { on, way: { kind: 'url', url, json, headers } }
      if (ping !== null) return { on, way: { kind: 'ping', url: ping } }
      return { on, way: { kind: 'mail', destination: mail ?? '' } }
    })
  return z.array(entry, { error: 'a list of notices, each with run, url, mail or ping' }).prefault([])
}

/** As `config show` prints it. */
export function shownNotifier({ on, way }: Notifier): Written {
  switch (way.kind) {
    case 'run':
      return { on, run: [commandName(way.run)] }
    case 'mail':
      return { on, mail: way.destination }
    case 'ping':
      return { ping: sourceKeys(way.url) }
    case 'url': {
      const headers = Object.entries(way.headers).map(([name, source]) => [name, sourceKeys(source)])
      return { on, url: sourceKeys(way.url), json: way.json, headers: Object.fromEntries(headers) }
    }
  }
}
