// Single values of the configuration as zod schemas. A host, a port, a path, a duration, a secret …
// The keys that hold them are in schema.ts and destinations/.
// The one rule: the `error` of a schema is no sentence, but the words that follow "expected" in a report (problem.ts). It
// never repeats the value that was found.
import * as z from 'zod'
import { isLocalPart } from '../../deliver/address.ts'
import { parseAddress } from './address.ts'
import { parseHost } from './host.ts'
import { filledAddress, hasUnknownPlaceholder } from '../../deliver/placeholders.ts'
import { formatDuration, formatSize, parseDuration, parseSize } from './quantity.ts'
import { SecretFunction, SecretText } from './secret.ts'
import type { SecretSource, TokenSource } from './secret.ts'

export { pinKeys } from './pins.ts'

/** Makes a path as written absolute: relative to the configuration file, `~` expanded. */
export interface ResolvePath {
  /** Null: it is relative, and there is no file to which it could be. */
  (text: string): string | null
  /** What a path is then called; "a path" unless said. */
  readonly form?: string
}

/** What a path is called. */
export function formOf({ form = 'a path' }: ResolvePath): string {
  return form
}

/** What is expected, where a path may be a part of it. */
function withPath(expected: string, { form }: ResolvePath): string {
  return form === undefined ? expected : `${expected}; a path in it is ${form}`
}

/** Makes a schema once for each `resolve`, however many use it: making a schema takes longer than parsing with it. */
export function once<S>(make: (resolve: ResolvePath) => S): (resolve: ResolvePath) => S {
  const made = new WeakMap<ResolvePath, S>()
  return (resolve) => {
    const schema = made.get(resolve) ?? make(resolve)
    made.set(resolve, schema)
    return schema
  }
}

/** Given to every parse. zod would compile each schema first, which takes longer than parsing the accounts most people have. */
export const WITHOUT_COMPILING = { jitless: true } as const

/** A mapping that has no other keys. The `error` of an unknown key is the list of known ones: see problem.ts. */
export function mapping<S extends z.core.$ZodLooseShape>(shape: S) {
  const keys = Object.keys(shape).join(', ')
  return z.strictObject(shape, { error: (issue) => (issue.code === 'unrecognized_keys' ? keys : 'a mapping') })
}

/** No path, URL or address is longer. A parser of so short a text may take the square of its length. */
const LONGEST_TEXT = 8192

/** Text that `parse` can make something of; null: it cannot. */
export function parsed<T>(expected: string, parse: (text: string) => T | null, pattern?: RegExp) {
  const string = z.string({ error: expected })
  const short = string.max(LONGEST_TEXT, { error: `${expected}; it is too long`, abort: true })
  const text = pattern ? short.regex(pattern, { error: expected, abort: true }) : short
  return text.transform((written, context): T => {
    const value = parse(written)
    if (value !== null) return value
    context.addIssue({ code: 'custom', message: expected })
    return z.NEVER
  })
}

/** A key that may be left out; it is null then. Null itself is an error: nobody can tell what it was meant to say. */
export function orNull<S extends z.ZodType>(schema: S) {
  return schema.optional().transform((value): z.output<S> | null => value ?? null)
}

export const host = parsed('a host name or an IP address', parseHost)

export const port = wholeNumber(1, 65_535)

export function wholeNumber(minimum: number, maximum: number) {
  const error = `a whole number from ${minimum} to ${maximum}`
  return z.int({ error }).min(minimum, { error }).max(maximum, { error })
}

export const flag = z.boolean({ error: 'true or false' })

/** Text for the wire: a CR, LF or NUL in it would start another command (P073, injected commands). */
export function wireText(expected: string) {
  const error = (issue: { readonly input?: unknown }): string =>
    issue.input === undefined ? expected : `${expected}, as text in quotes`
  return z.string({ error }).regex(/^[^\r\n\0]+$/, { error: `${expected}, not empty, without line breaks and NUL` })
}

/** What is expected of a program and its arguments. */
export const WORDS = 'a list of words: the program, then its arguments'

const argument = z.string({ error: WORDS }).regex(/^[^\0]*$/, { error: 'words without NUL' })

/** A program and its arguments, run without a shell. A bare name is looked up in PATH; anything else is a path, as everywhere in
 *  the file. */
export const program = once((resolve) => {
  const name = parsed(withPath(WORDS, resolve), (text) => {
    if (text === '' || text.includes('\0')) return null
    return text.includes('/') ? resolve(text) : text
  })
  return z.tuple([name], argument, { error: WORDS })
})

export const filePath = once((resolve) => parsed(formOf(resolve), (text) => (isPath(text) ? resolve(text) : null)))

/** What may be in braces. */
export const PLACEHOLDERS = 'in braces only {account}, {recipient}, {local} or {domain}'

/** A path in which placeholders may stand. */
export const accountPath = once((resolve) =>
  parsed(`${formOf(resolve)}; ${PLACEHOLDERS}`, (text) =>
    isPath(text) && !hasUnknownPlaceholder(text) ? resolve(text) : null,
  ),
)

/** Text in which placeholders may stand. */
export function placeText(expected: string, pattern: RegExp) {
  return parsed(`${expected}; ${PLACEHOLDERS}`, (text) =>
    pattern.test(text) && !hasUnknownPlaceholder(text) ? text : null,
  )
}

/** `~` and `~/…` mean the home directory; of another user's (`~bob`) nothing is known here. Nor is what `$NAME` or a quote in front
 *  was meant to say. A folder of that name is what nobody wants, and `./$NAME` is one. */
export function isPath(text: string): boolean {
  return text !== '' && !text.includes('\0') && !/^(?:~[^/]|[$"'`])/.test(text)
}

const SAMPLE = { account: 'a', mailbox: 'a@a.example' }

/** Placeholders may be in it. */
export const recipient = parsed(`a plain mail address such as alice@example.net; ${PLACEHOLDERS}`, recipientOf)

/** LMTP servers know their own users without a domain. */
export const localRecipient = parsed(
  `a mail address or the name of a user such as alice; ${PLACEHOLDERS}`,
  (text) =>
    recipientOf(text) ?? (!hasUnknownPlaceholder(text) && isLocalPart(filledAddress(text, SAMPLE)) ? text : null),
)

function recipientOf(text: string): string | null {
  const at = text.lastIndexOf('@')
  const domain = at < 0 ? '' : text.slice(at)
  const address = hasUnknownPlaceholder(text) ? null : parseAddress(filledAddress(text, SAMPLE))
  if (address === null) return null
  // A domain with a placeholder stays as it is written.
  return domain === '' || domain.includes('{') ? text : text.slice(0, at) + address.slice(address.lastIndexOf('@'))
}

export function duration(minimumMs: number, maximumMs: number) {
  const range = `from ${formatDuration(minimumMs)} to ${formatDuration(maximumMs)}`
  const examples = ['90s', '5m', '12h', '30d'].filter(
    (text) => within(parseDuration(text), minimumMs, maximumMs) !== null,
  )
  return parsed(
    `a duration ${range} such as ${examples.join(', ')}`,
    (text) => within(parseDuration(text), minimumMs, maximumMs),
    /^\d+[smhd]$/,
  )
}

/** Up to a day: ten times that (the first byte of a listing) still fits a timer, which ends at 24.8 days. */
export const timeout = duration(1000, 86_400_000)

export function size(minimumBytes: number) {
  return parsed(
    `a size of at least ${formatSize(minimumBytes)} such as 500KB, 50MB, 1GB`,
    (text) => within(parseSize(text), minimumBytes, Number.MAX_SAFE_INTEGER),
    /^\d+[KMG]B$/,
  )
}

export function within(value: number | null, minimum: number, maximum: number): number | null {
  return value !== null && value >= minimum && value <= maximum ? value : null
}

const PIN = 'a SHA-256 fingerprint of 64 hexadecimal digits, colons optional'

/** SHA-256 of a certificate, as openssl prints it or without colons; lower case afterwards. */
const pin = parsed(PIN, (text) => text.replaceAll(':', '').toLowerCase(), /^[0-9A-Fa-f]{2}(:?[0-9A-Fa-f]{2}){31}$/)

/** One, or a list: while a certificate is being renewed the old and the new one are right. */
export const pins = z
  .union([pin, z.array(pin).min(1, { error: 'at least one SHA-256 fingerprint' })], {
    error: `${PIN}, or a list of them`,
  })
  .transform((written): readonly string[] => [...new Set(typeof written === 'string' ? [written] : written)])

/** Permissions of a file: its owner reads and writes it, nobody executes it, others may not write it. The reader of documents
 *  keeps numbers with a leading zero as text, because YAML 1.2 reads 0600 as six hundred. */
export const fileMode = parsed(
  'a file mode of four octal digits such as 0600, 0640 or 0660',
  (text) => {
    const mode = Number.parseInt(text.replace('o', ''), 8)
    return (mode & 0o713) === 0o600 ? mode : null
  },
  /^0o?[0-7]{3}$/,
)

const SECRET = 'text, { env: NAME }, { file: PATH }, { command: COMMAND }, { credential: NAME } or { keyring: NAME }'

/** Keys that hold a secret or say where one comes from. Reports name their values by the type only. */
export const SECRET_KEYS: ReadonlySet<string> = new Set([
  'password',
  'token',
  'httpToken',
  'clientSecret',
  // Of `state`.
  'key',
  'formerKey',
  // Header fields in `notify`.
  'Authorization',
  'X-Gotify-Key',
])

/** Marks a schema of what only a program can give: the JSON Schema of a file leaves it out. */
export const NOT_IN_FILES = 'notInFiles'

/** Only a function passes, so no value of a file is mistaken for one. */
const ofProgram = z
  .custom<SecretFunction>()
  .check(({ value, issues }) => {
    if (!(value instanceof SecretFunction)) issues.push({ code: 'invalid_type', expected: 'custom', input: value })
  })
  .meta({ [NOT_IN_FILES]: true })

/** Where a secret comes from. It is read later: see secret.ts. */
function secretForms(resolve: ResolvePath) {
  const word = z.string().min(1)
  return [
    wireText('text').transform((text): SecretSource => new SecretText(text)),
    z
      .strictObject({ env: z.string().regex(/^[A-Za-z_]\w*$/) })
      .transform(({ env }): SecretSource => ({ kind: 'env', name: env })),
    z.strictObject({ file: filePath(resolve) }).transform(({ file }): SecretSource => ({ kind: 'file', path: file })),
    z
      .strictObject({ command: z.union([word, z.tuple([word], z.string())]) })
      .transform(({ command }): SecretSource => ({ kind: 'command', run: command })),
    z
      // A name, not a path: it must stay within the directory of credentials.
      .strictObject({ credential: z.string().regex(/^(?!\.\.?$)[^/\0]+$/) })
      .transform(({ credential }): SecretSource => ({ kind: 'credential', name: credential })),
    z
      .strictObject({ keyring: z.string().regex(/^[\x20-\x7e]{1,200}$/) })
      .transform(({ keyring }): SecretSource => ({ kind: 'keyring', name: keyring })),
    ofProgram,
  ] as const
}

export const secret = once((resolve) => z.union(secretForms(resolve), { error: withPath(SECRET, resolve) }))

/** A token, which may also be that of a sign-in by a client of `oauth:`. */
export const token = once((resolve) =>
  z.union(
    [
      ...secretForms(resolve),
      z
        .strictObject({ oauth: z.string().min(1).max(100) })
        .transform(({ oauth }): TokenSource => ({ kind: 'oauth', client: oauth })),
    ],
    { error: withPath(SECRET.replace(' or {', ', { oauth: NAME } or {'), resolve) },
  ),
)
