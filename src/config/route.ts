// Where the messages of an account go: `deliver` and `route`. A destination is there as a name, as a URL or as a mapping.
// A group is tried in its order until one does not refuse. Names are looked up in named-destinations.ts.
import * as z from 'zod'
import { destination } from './destinations/schemas/destination.ts'
import { FIRST_OF } from './values/written.ts'
import { parseSize } from './values/quantity.ts'
import * as value from './values/values.ts'
import type { DestinationKeys } from './destinations/destinations.ts'
import type { ResolvePath } from './values/values.ts'
import type { Frozen } from './values/written.ts'

/** A name or URL, or the keys of a destination written in place. */
export type Member = string | DestinationKeys
export type Group = { readonly [FIRST_OF]: readonly Member[] }

/** Literal text and `*`, which stands for any text; compared without regard to case. */
export type Pattern = string

/** Conditions, all of which a message must meet; null: any message. */
export type When = Frozen<z.output<ReturnType<typeof conditions>>>

/** A rule of an account, its destinations by name. */
export interface RouteRule {
  readonly when: When
  readonly deliver: readonly string[]
}

const DELIVER = 'the name of a destination, one written in place, a URL, { first-of: […] }, or a list of these'
const MEMBERS = 'a list of two or more destinations'

/** What was written, always as a list. */
export const deliver = value.once((resolve) => {
  const member = z.union([z.string(), destination(resolve)], {
    error: 'the name of a destination, one written in place or a URL',
  })
  const group = value.mapping({ [FIRST_OF]: z.array(member, { error: MEMBERS }).min(2, { error: MEMBERS }) })
  const target = z.union([z.string(), destination(resolve), group], { error: DELIVER })
  return z
    .union([target, z.array(target).min(1, { error: 'at least one destination' })], { error: DELIVER })
    .transform((written) => (Array.isArray(written) ? written : [written]))
})

const pattern = value.wireText('text to look for, in which * stands for any text')

const size = value.parsed(
  'a size with > or < before it, such as ">5MB"',
  (text) => {
    const bytes = parseSize(text.slice(1))
    return bytes === null ? null : { than: text.startsWith('>') ? ('larger' as const) : ('smaller' as const), bytes }
  },
  /^[<>]\d+[KMG]B$/,
)

const CONDITION = 'at least one of from, to, subject, header, size'

function conditions() {
  return value
    .mapping({
      from: value.orNull(pattern).describe('Matches one address in From, or the whole field'),
      to: value.orNull(pattern).describe('Matches one address in To, Cc or Bcc, or one of these fields as a whole'),
      subject: value.orNull(pattern).describe('Matches the whole subject; *word* finds a word in it'),
      header: z
        .record(z.string().regex(/^[!-9;-~]{1,100}$/), pattern, { error: 'a mapping of field names to text' })
        .transform((fields) => Object.entries(fields).map(([name, text]) => ({ name, pattern: text })))
        .default([])
        .describe('Other header fields by name; all must match'),
      size: value.orNull(size).describe('Size of the message: larger (>) or smaller (<) than this'),
    })
    .refine(
      ({ from, to, subject, header, size: bytes }) =>
        [from, to, subject, bytes].some((one) => one !== null) || header.length > 0,
      {
        error: CONDITION,
      },
    )
}

/** `route` as written. The names in `deliver` are looked up later, like those of the account. */
export function route(resolve: ResolvePath) {
  const rule = value.mapping({
    when: conditions().describe('Conditions; all must match'),
    deliver: deliver(resolve).describe('Where matching messages go'),
  })
  return z.array(rule, { error: 'a list of rules { when, deliver }' })
}
