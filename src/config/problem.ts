// What is wrong with a configuration, in words: "found X, expected Y". Turns zod's issues into problems. The one rule: a value
// under a secret's key is named by its type only. A word that looks like such a key together with its value
// (`password:hunter2`, one blank too few) is cut after the key. A URL is shown without what may be a password in it.
import type * as z from 'zod'
import { display } from '../display.ts'
import { PopfetchError } from '../errors.ts'
import { nearest } from './values/nearest.ts'
import { commandName } from './values/secret.ts'
import { SECRET_KEYS } from './values/values.ts'
import { FIRST_OF, isWritten } from './values/written.ts'
import type { Conflict, Written } from './values/written.ts'

export type Path = readonly (string | number)[]

export interface Problem {
  readonly path: Path
  /** Which line the report names: that of the key or that of its value. */
  readonly at: 'key' | 'value'
  readonly found: string
  /** The words after "expected". */
  readonly expected: string
}

/** A configuration that is wrong. */
export class WrongConfiguration extends PopfetchError {
  readonly problems: readonly Located[]

  constructor(message: string, problems: readonly Located[]) {
    super('ERR_CONFIG', message, { scope: 'process', retry: 'never' })
    this.problems = problems
  }
}

/** A problem and where it is, as a program wants to read it. */
export interface Located {
  readonly file: string
  /** Null: the file as a whole. */
  readonly line: number | null
  /** `accounts.old-isp.port`; '' for the whole file. */
  readonly path: string
  readonly found: string
  readonly expected: string
}

/** A file that is no configuration at all has a problem in every line: the first ones say enough. */
export const PROBLEMS_SHOWN = 100

/** `accounts.old-isp.deliver[1]`. */
export function pathText(path: Path): string {
  const named = NAMING.has(String(path[0])) ? 1 : -1
  const text = path
    .map((step, index) =>
      typeof step === 'number' ? `[${step}]` : `.${display(withoutValue(step, index === named), 60)}`,
    )
    .join('')
  return text.replace(/^\./, '')
}

/** What is not there. */
const NOTHING = 'nothing'

/** "found X, expected Y", or that it is missing. */
export function mismatchText({ found, expected }: { readonly found: string; readonly expected: string }): string {
  return found === NOTHING ? `missing (expected ${expected})` : `found ${found}, expected ${expected}`
}

/** What is there is a program with its words, of which all but the first may be secret. */
const PROGRAM_KEYS: ReadonlySet<string> = new Set(['run', 'via', 'before', 'after', 'onProblem'])

/** A value as a report may show it. */
export function foundText(value: unknown, path: Path): string {
  if (value === undefined) return NOTHING
  if (value === null) return 'nothing (null)'
  if (Array.isArray(value)) return value.length === 0 ? 'an empty list' : 'a list'
  if (isWritten(value)) return 'a mapping'
  // A variable of a program may hold a token.
  const isVariable = path.slice(0, -1).includes('env')
  // Whoever has the address of a notice can read it, or fake it.
  const isAddress = path[0] === 'notify' && ['url', 'ping', 'headers'].includes(String(path[2]))
  const secret = isVariable || isAddress || path.some((step) => typeof step === 'string' && SECRET_KEYS.has(step))
  if (secret) return typeof value === 'string' ? 'text' : `a ${typeof value} without quotes`
  if (typeof value === 'string' && PROGRAM_KEYS.has(String(path.findLast((step) => typeof step === 'string'))))
    return typeof path.at(-1) === 'string' || path.at(-1) === 0 ? commandName(value) : 'text'
  if (typeof value === 'string') return `"${display(withoutSecret(withoutPassword(value)), 80)}"`
  return typeof value === 'number' || typeof value === 'boolean' ? String(value) : `a ${typeof value}`
}

/** `smtp://alice:secret@host` with what stands between `//` and the last `@` hidden, if a colon in it may begin a password. */
function withoutPassword(text: string): string {
  const [scheme] = /^[A-Za-z0-9+.-]*:\/\//.exec(text) ?? []
  const at = text.lastIndexOf('@')
  const holdsColon = scheme !== undefined && at > 0 && text.slice(scheme.length, at).includes(':')
  return holdsColon ? `${scheme}…@${text.slice(at + 1)}` : text
}

const SECRET_NAME = /pass(?:word|wd|wort|phrase|code)?|pwd|token|secret|credential|api-?key/i

/** Below these stand names that a person chose. */
const NAMING: ReadonlySet<string> = new Set(['accounts', 'destinations', 'oauth'])

/** A key, cut where a value may begin: at a colon or `=`, which no key of ours and no name has. Also behind the name of a secret
 *  (`passwordhunter2`), unless it is the name of an account (`secretary`). */
function withoutValue(key: string, isName: boolean): string {
  const [first = ''] = key.split(/[:=]/, 1)
  const secret = isName || KNOWN_NAMES.has(key) ? null : SECRET_NAME.exec(key)
  const kept = secret?.index === 0 ? first.slice(0, secret[0].length) : first
  return kept === key ? key : `${kept}…`
}

/** Keys that begin like a secret's and are none. */
const KNOWN_NAMES: ReadonlySet<string> = new Set([
  ...SECRET_KEYS,
  'tokenEndpoint',
  'clientSecretExpires',
  'credentials',
])

/** Text with what may be a secret's key in it, and the secret behind it, cut behind the key. */
function withoutSecret(text: string): string {
  const found = SECRET_NAME.exec(text)
  if (found === null) return text
  const end = found.index + found[0].length
  return /^\s*[:=]/.test(text.slice(end)) ? `${text.slice(0, end)}…` : text
}

/** A key that is none of `keys`. */
export function unknownKey(path: Path, key: string, keys: readonly string[]): Problem {
  const near = nearest(key, keys)
  const expected = near === null ? `one of ${keys.join(', ')}` : `a known key: did you mean ${near}?`
  return { path: [...path, key], at: 'key', found: 'an unknown key', expected }
}

/** The problems zod found in `input`, which is at `base` in the configuration. */
export function issueProblems(issues: readonly z.core.$ZodIssue[], input: unknown, base: Path): readonly Problem[] {
  return issues.flatMap((issue): readonly Problem[] => {
    const steps = issue.path.map((step) => (typeof step === 'number' ? step : String(step)))
    const path = [...base, ...steps]
    const value = valueAt(input, steps)
    if (issue.code === 'unrecognized_keys') {
      // The message is the list of known keys: see mapping() in values.ts.
      return issue.keys.map((key) => unknownKey(path, key, issue.message.split(', ')))
    }
    if (issue.code === 'invalid_value') return [wrong(path, value, choice(issue.values))]
    if (issue.code !== 'invalid_union') return [wrong(path, value, issue.message)]
    if ('options' in issue) return [wrong(path, value, choice(issue.options))]
    const meant = meantBranch(issue.errors, value)
    return meant ? issueProblems(meant, value, path) : [wrong(path, value, issue.message)]
  })
}

/** Keys of `written`, which is at `path`, that cannot be combined. */
export function conflictProblems(conflicts: readonly Conflict[], written: Written, path: Path): readonly Problem[] {
  return conflicts.map(({ key, expected }) => wrong([...path, key], written[key], expected))
}

/** The one alternative of the right type, if there is just one: its own problems say more than a list of all alternatives. */
function meantBranch(branches: readonly Branch[], value: unknown): Branch | null {
  const near = branches.filter((branch) => !isOfAnotherType(branch, value))
  return near.length === 1 ? (near[0] ?? null) : null
}

type Branch = readonly z.core.$ZodIssue[]

function isOfAnotherType([issue]: Branch, value: unknown): boolean {
  if (issue === undefined) return false
  const [key] = issue.path
  // A destination and a group of them are both mappings; the key of a group tells.
  if (key === FIRST_OF || (key === 'type' && 'options' in issue)) {
    const isGroup = isWritten(value) && Object.hasOwn(value, FIRST_OF)
    return (key === FIRST_OF) !== isGroup
  }
  if (issue.path.length > 0) return false
  return (
    issue.code === 'invalid_type' ||
    (issue.code === 'invalid_union' &&
      issue.errors.length > 0 &&
      issue.errors.every((branch) => isOfAnotherType(branch, value)))
  )
}

function choice(options: readonly unknown[]): string {
  const values = options.map(String)
  return values.length === 1 ? values.join('') : `one of ${values.join(', ')}`
}

export function wrong(path: Path, value: unknown, expected: string): Problem {
  return { path, at: 'value', found: foundText(value, path), expected }
}

function valueAt(input: unknown, steps: Path): unknown {
  let value = input
  for (const step of steps) {
    if (Array.isArray(value)) value = value[Number(step)]
    else value = isWritten(value) && Object.hasOwn(value, step) ? value[step] : undefined
  }
  return value
}
