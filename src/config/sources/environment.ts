// `{ env: NAME }` in place of a text or a number, for containers. Filled in before anything is checked. Not in secrets: those say
// by themselves where they come from, and are read just before each sign-in. Pure.
// The one rule: the value of a variable is in no report. It may be a password that stands in the wrong place.
import type { Path, Problem } from '../problem.ts'
import { SECRET_KEYS } from '../values/values.ts'
import { isWritten, type Written } from '../values/written.ts'
import type { Environment } from '../paths.ts'

/** Where a variable stands. */
interface Variable {
  readonly path: Path
  readonly name: string
}

/** A value with its variables in place. */
export interface Filled {
  readonly value: unknown
  readonly variables: readonly Variable[]
  /** Those that are not set; they stay as they are written. */
  readonly missing: readonly Variable[]
}

/** Keys that want a number. The JSON Schema says the same: a test compares them. */
export const NUMBER_KEYS: ReadonlySet<string> = new Set(['port', 'limit', 'concurrency', 'perHost', 'redirectPort'])

/** `type` says which keys there are, so no variable can. */
const LITERAL_KEYS: ReadonlySet<string> = new Set(['type'])

const NAME = /^[A-Za-z_]\w*$/

const NONE: readonly Variable[] = []

/** `path`: where `value` stands; it begins with the key itself. */
export function filled(value: unknown, path: Path, env: Environment): Filled {
  if (typeof value !== 'object' || value === null) return { value, variables: NONE, missing: NONE }
  const variables: Variable[] = []
  const missing: Variable[] = []
  const fill = (inner: unknown, at: Path): unknown => {
    if (isSecret(at)) return inner
    if (Array.isArray(inner)) return inner.map((item, index) => fill(item, [...at, index]))
    if (!isWritten(inner)) return inner
    const name = variableIn(inner, at)
    if (name === null)
      return Object.fromEntries(Object.entries(inner).map(([key, item]) => [key, fill(item, [...at, key])]))
    const text = env[name]
    if (text === undefined) {
      missing.push({ path: at, name })
      return inner
    }
    variables.push({ path: at, name })
    const key = at.findLast((step) => typeof step === 'string') ?? ''
    return NUMBER_KEYS.has(key) && /^\d{1,15}$/.test(text) ? Number(text) : text
  }
  return { value: fill(value, path), variables, missing }
}

/** The problems as they are told: a value that came from a variable is not shown. */
export function withoutValues(
  problems: readonly Problem[],
  { variables }: Pick<Filled, 'variables'>,
): readonly Problem[] {
  if (variables.length === 0) return problems
  return problems.map((problem) => {
    const from = variables.find(({ path }) => path.every((step, index) => problem.path[index] === step))
    return from === undefined ? problem : { ...problem, found: `the value of the variable ${from.name}` }
  })
}

/** That variables are not set, in words. */
export function missingText({ name }: Variable): string {
  return `the environment variable ${name} is not set: export it`
}

function variableIn(value: Written, path: Path): string | null {
  const { env: name, ...others } = value
  if (typeof name !== 'string' || Object.keys(others).length > 0 || !NAME.test(name)) return null
  const key = path.at(-1)
  // The variables of a program are a mapping: `env: { env: X }` gives it one that is called env.
  return key === 'env' || LITERAL_KEYS.has(String(key)) ? null : name
}

/** Addresses of notices are read as secrets are: they often are some. */
function isSecret(path: Path): boolean {
  const key = String(path.at(-1))
  return SECRET_KEYS.has(key) || (path[0] === 'notify' && ['url', 'ping', 'headers'].includes(key))
}
