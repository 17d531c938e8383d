// From what an embedding program writes to the effective configuration, by the schema of the file. So the same is right, with the
// same defaults and the same words for what is wrong. What no file can hold (functions, destinations of its own) is put in here.
import path from 'node:path'
import { assembling } from '../config/assemble.ts'
import { sourceOf } from '../config/sources/source.ts'
import { type Environment, resolvePath } from '../config/paths.ts'
import { pathText, type Problem, PROBLEMS_SHOWN, WrongConfiguration } from '../config/problem.ts'
import type { Configuration } from '../config/schema.ts'
import type { Postgres } from '../config/state/postgres.ts'
import { inTurns } from '../config/turns.ts'
import { SecretFunction } from '../config/values/secret.ts'
import { SECRET_KEYS } from '../config/values/values.ts'
import { DefinedDestination } from '../deliver/own/definition.ts'
import { PopfetchError } from '../errors.ts'
import type { Wanted } from './options.ts'

/** Nothing that is written for popfetch is deeper. */
const DEEPEST = 20

/** Where the files of a configuration are. */
export interface Places {
  /** The folder that relative paths start from; absolute. */
  readonly base: string
  /** The ledger's file, or one beside which its files are to lie; absolute. */
  readonly statePath: string
  /** Null: the ledger is in that file, or the program's own. */
  readonly postgres: Postgres | null
  readonly env: Environment
}

/** The configuration in effect. Rejects with ERR_CONFIG: a summary and a line for each problem, `PATH: found X, expected Y`. */
export async function configurationOf(
  wanted: Wanted,
  { base, statePath, postgres, env }: Places,
): Promise<Configuration> {
  if ('configuration' in wanted) return { ...wanted.configuration, statePath, postgres }
  const { accounts, destinations = {}, defaults, oauth, concurrency, perHost } = wanted
  const own = new Map<string, DefinedDestination>()
  const others: Record<string, unknown> = {}
  for (const [name, destination] of Object.entries(destinations)) {
    if (destination instanceof DefinedDestination) own.set(name, destination)
    else others[name] = destination
  }
  const keys = { accounts, destinations: others, defaults, oauth, concurrency, perHost }
  const root = Object.fromEntries(Object.entries(copyOf(keys, '', DEEPEST)).filter(([, value]) => value !== undefined))
  const resolve = (written: string): string => resolvePath(written, base, env)
  const { configuration, problems } = await inTurns(assembling(sourceOf(root, resolve), { env, own }))
  if (configuration === null || problems.length > 0) throw wrong(problems)
  return { ...configuration, statePath, postgres, file: path.join(base, '(given by the program)'), files: [] }
}

/** A copy, so that nothing changes while it is looked at, with a source in place of each function that gives a secret. */
function copyOf(value: object, key: string, deep: number): object
function copyOf(value: unknown, key: string, deep: number): unknown
function copyOf(value: unknown, key: string, deep: number): unknown {
  if (typeof value === 'function') return SECRET_KEYS.has(key) ? secretOf(value) : value
  if (typeof value !== 'object' || value === null) return value
  if (deep === 0) throw tooDeep()
  if (Array.isArray(value)) return value.map((item) => copyOf(item, key, deep - 1))
  return Object.fromEntries(Object.entries(value).map(([inner, item]) => [inner, copyOf(item, inner, deep - 1)]))
}

const secrets = new WeakMap<object, SecretFunction>()

/** The same for the same function: an account whose secret is the same one has not changed. */
function secretOf(given: Function): SecretFunction {
  const known = secrets.get(given) ?? new SecretFunction((asked): unknown => Reflect.apply(given, undefined, [asked]))
  secrets.set(given, known)
  return known
}

function wrong(problems: readonly Problem[]): WrongConfiguration {
  const located = problems.map(({ path: at, found, expected }) => {
    return { file: '', line: null, path: pathText(at), found, expected }
  })
  const shown = located.slice(0, PROBLEMS_SHOWN).map(({ path: at, found, expected }) => {
    return `${at === '' ? '' : `${at}: `}found ${found}, expected ${expected}`
  })
  if (located.length > shown.length) shown.push(`and ${located.length - shown.length} more`)
  const count = located.length === 1 ? '1 problem' : `${located.length} problems`
  return new WrongConfiguration(`the configuration: ${count}; nothing was done:\n${shown.join('\n')}`, located)
}

function tooDeep(): PopfetchError {
  const text = `the configuration: it goes round in a circle, or is deeper than ${DEEPEST} levels: write plain values`
  return new PopfetchError('ERR_CONFIG', text, { scope: 'process', retry: 'never' })
}
