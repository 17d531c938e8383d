// From an account as it is written to its keys. Its own keys come first, then the defaults of its file, then those of the
// configuration. What is the same for all accounts of a file is parsed once, and shared by all of them: there may be ten thousand.
import * as z from 'zod'
import { nameFault } from './account-name.ts'
import type { NamedDestinations } from '../named-destinations.ts'
import type { Environment } from '../paths.ts'
import { conflictProblems, issueProblems, mismatchText, pathText, unknownKey, wrong } from '../problem.ts'
import type { Path, Problem } from '../problem.ts'
import type { Group, Member, When } from '../route.ts'
import { account, type Account, accountConflicts, accountKeys, completed } from '../schema.ts'
import { filled, missingText, withoutValues } from '../sources/environment.ts'
import { placeIn, type Source } from '../sources/source.ts'
import { once, WITHOUT_COMPILING } from '../values/values.ts'
import { isWritten, type Written } from '../values/written.ts'

const shapeOf = once((resolve): Readonly<Record<string, z.core.$ZodType>> => accountKeys(resolve).shape)

/** What a key came to. */
interface Parsed {
  readonly value: unknown
  readonly problems: readonly Problem[]
  /** Why the accounts that have it cannot be polled: a variable is not set. */
  readonly faults: readonly string[]
}

/** Keys that stand in one place, as written. */
interface Layer {
  readonly source: Source
  readonly path: Path
  readonly written: Written
}

/** What all accounts of a source have that do not write it themselves. */
interface Template {
  readonly written: Written
  readonly values: Readonly<Record<string, unknown>>
  /** Where an inherited key stands. */
  readonly origins: ReadonlyMap<string, Layer>
  /** Nobody gives these, and each account needs them. */
  readonly required: ReadonlyMap<string, string>
  /** Inherited keys that are wrong, which was reported. */
  readonly bad: ReadonlySet<string>
  readonly faults: ReadonlyMap<string, readonly string[]>
  readonly targets: Targets
}

/** Where mail goes, by name. */
interface Targets {
  readonly deliver: readonly string[] | null
  readonly route: readonly (readonly string[])[] | null
}

export interface ReaderContext {
  readonly env: Environment
  readonly destinations: NamedDestinations
  /** Adds to what is wrong in a source. */
  readonly report: (source: Source, problems: readonly Problem[]) => void
}

/** A route as parsed. */
type Rules = readonly { readonly when: When; readonly deliver: readonly (Member | Group)[] }[]

export class AccountReader {
  readonly #context: ReaderContext
  readonly #main: Source
  readonly #templates = new Map<Source, Template>()

  /** `main`: the configuration itself, whose `defaults` hold everywhere. */
  constructor(main: Source, context: ReaderContext) {
    this.#context = context
    this.#main = main
    this.prepare(main)
  }

  /** Looks at the defaults of a source; what is wrong with them is reported. */
  prepare(source: Source): void {
    this.#template(source)
  }

  /** The account of that name; null: it is wrong, and that was reported. Where it cannot be polled because of what only it has (a
   *  variable that is not set; in a source that leaves out: whatever is wrong), it has a fault. */
  read(name: string, value: unknown, source: Source): Account | null {
    const path = ['accounts', name]
    const found: Problem[] = []
    const fault = nameFault(name)
    if (fault !== null) found.push({ path, at: 'key', ...fault })
    const template = this.#template(source)
    const account = isWritten(value)
      ? this.#account(name, value, { source, path, template, found, isNamed: fault === null })
      : null
    if (!isWritten(value)) found.push(wrong(path, value, 'a mapping'))
    if (found.length === 0) return account
    if (!source.leavesOut) {
      this.#context.report(source, found)
      return null
    }
    return this.faulty(name, problemTexts(source, found))
  }

  /** An account of which only the name is known, and why it cannot be polled. */
  faulty(name: string, faults: readonly string[]): Account {
    const { poll } = this.#template(this.#main).values
    return { ...nobody(), ...(isPoll(poll) ? { poll } : {}), name, fault: faults.slice(0, FAULTS_SHOWN).join('; ') }
  }

  #account(name: string, own: Written, at: At): Account | null {
    const { source, path, template, found, isNamed } = at
    const { env, destinations } = this.#context
    const layer: Layer = { source, path, written: own }
    const shape = shapeOf(source.resolve)
    const values: Record<string, unknown> = { ...template.values }
    const faults: string[] = []
    let isWrong = found.length > 0
    for (const [key, written] of Object.entries(own)) {
      const parsed = parseKey(layer, shape, key, written, env)
      if (parsed.problems.length > 0) found.push(...parsed.problems)
      faults.push(...parsed.faults)
      if (parsed.problems.length + parsed.faults.length > 0) isWrong = true
      values[key] = parsed.value
    }
    // One secret is enough: an account's own token takes the place of an inherited password, and the other way round.
    const dropped = droppedBy(own, template.written)
    if (dropped !== null) values[dropped] = null
    for (const [key, expected] of template.required)
      if (!Object.hasOwn(own, key)) {
        found.push(wrong([...path, key], undefined, expected))
        isWrong = true
      }
    for (const key of template.bad) if (!Object.hasOwn(own, key) && key !== dropped) isWrong = true
    for (const [key, texts] of template.faults) if (!Object.hasOwn(own, key) && key !== dropped) faults.push(...texts)

    const merged: Record<string, unknown> = { ...template.written, ...own }
    if (dropped !== null) delete merged[dropped]
    for (const problem of conflictProblems(accountConflicts(merged), merged, path)) {
      isWrong = true
      this.#conflict(problem, at, own)
    }

    const recipient = values['recipient'] as Account['recipient'] | undefined
    const owner = isNamed && recipient !== undefined ? { name, recipient } : null
    const targets = this.#targets(layer, values, template.targets, found)
    const names = [...(targets.deliver ?? []), ...(targets.route ?? []).flat()]
    if (owner !== null) {
      for (const target of names) destinations.checkAccount(owner, target, found)
      for (const target of names) {
        const broken = destinations.faultOf(target)
        if (broken !== null) faults.push(broken)
      }
    }
    if (faults.length > 0) return this.faulty(name, faults)
    if (isWrong || found.length > 0) return null
    const rules = (values['route'] ?? []) as Rules
    const route = rules.map(({ when }, index) => ({ when, deliver: targets.route?.[index] ?? [] }))
    // Each value comes from the schema of its key.
    return {
      ...completed(values as Parameters<typeof completed>[0]),
      name,
      fault: null,
      deliver: targets.deliver ?? [],
      route,
    }
  }

  /** A problem of a key that the account has from defaults is reported there, and once. */
  #conflict(problem: Problem, { template, found, source }: At, own: Written): void {
    const [, , key = '', ...rest] = problem.path
    const origin = Object.hasOwn(own, key) ? undefined : template.origins.get(String(key))
    if (origin === undefined || source.leavesOut) found.push(problem)
    else this.#context.report(origin.source, [{ ...problem, path: [...origin.path, key, ...rest] }])
  }

  /** Where the account's mail goes. What is inherited was looked up once. */
  #targets(layer: Layer, values: Readonly<Record<string, unknown>>, inherited: Targets, found: Problem[]): Targets {
    const { written } = layer
    return {
      deliver: Object.hasOwn(written, 'deliver') ? this.#names(layer, values['deliver'], found) : inherited.deliver,
      route: Object.hasOwn(written, 'route') ? this.#rules(layer, values['route'], found) : inherited.route,
    }
  }

  #names({ source, path, written }: Layer, parsed: unknown, problems: Problem[]): readonly string[] | null {
    if (!Array.isArray(parsed)) return null
    const members = parsed as readonly (Member | Group)[]
    return this.#context.destinations.findAll(members, written['deliver'], {
      path: [...path, 'deliver'],
      source,
      problems,
    })
  }

  #rules({ source, path, written }: Layer, parsed: unknown, problems: Problem[]): Targets['route'] {
    if (!Array.isArray(parsed)) return null
    const rules = written['route']
    return (parsed as Rules).map(({ deliver }, index) => {
      const rule: unknown = Array.isArray(rules) ? rules[index] : null
      const as = isWritten(rule) ? rule['deliver'] : undefined
      return this.#context.destinations.findAll(deliver, as, {
        path: [...path, 'route', index, 'deliver'],
        source,
        problems,
      })
    })
  }

  #template(source: Source): Template {
    const known = this.#templates.get(source)
    if (known !== undefined) return known
    const layers = [...new Set([source, this.#main])].map(defaultsOf).filter((layer) => layer !== null)
    const made = this.#templateOf(source, layers)
    this.#templates.set(source, made)
    return made
  }

  /** `layers`: the first one counts. */
  #templateOf(source: Source, layers: readonly Layer[]): Template {
    const { env, report } = this.#context
    const origins = new Map<string, Layer>()
    let written: Written = {}
    for (const layer of layers) {
      const dropped = droppedBy(written, layer.written)
      const left = Object.fromEntries(Object.entries(layer.written).filter(([key]) => key !== dropped))
      for (const key of Object.keys(left)) if (!origins.has(key)) origins.set(key, layer)
      written = { ...left, ...written }
    }
    const values: Record<string, unknown> = {}
    const required = new Map<string, string>()
    const bad = new Set<string>()
    const faults = new Map<string, readonly string[]>()
    for (const [key, schema] of Object.entries(shapeOf(source.resolve))) {
      if (origins.has(key)) continue
      const usual = parse(schema, undefined)
      if (usual.success) values[key] = usual.data
      else required.set(key, issueProblems(usual.error.issues, undefined, [key])[0]?.expected ?? key)
    }
    let targets: Targets = { deliver: null, route: null }
    // What stands in the file's own defaults is reported by its template, what stands in the main ones by the main one's.
    const isReported = (layer: Layer): boolean => layer.source === source
    for (const [key, layer] of origins) {
      const parsed = parseKey(layer, shapeOf(layer.source.resolve), key, layer.written[key], env)
      if (isReported(layer)) report(layer.source, parsed.problems)
      if (parsed.problems.length > 0) bad.add(key)
      if (parsed.faults.length > 0) faults.set(key, parsed.faults)
      values[key] = parsed.value
      const problems: Problem[] = []
      if (key === 'deliver') targets = { ...targets, deliver: this.#names(layer, parsed.value, problems) }
      if (key === 'route') targets = { ...targets, route: this.#rules(layer, parsed.value, problems) }
      if (problems.length > 0) bad.add(key)
      if (isReported(layer)) report(layer.source, problems)
    }
    return { written, values, origins, required, bad, faults, targets }
  }
}

interface At {
  readonly source: Source
  readonly path: Path
  readonly template: Template
  /** Filled with what is wrong with this account. */
  readonly found: Problem[]
  readonly isNamed: boolean
}

let placeholder: Omit<Account, 'name' | 'fault'> | null = null

/** In place of keys that are not known. */
function nobody(): Omit<Account, 'name' | 'fault'> {
  const written = { host: 'localhost', user: 'nobody', password: { env: 'NONE' }, deliver: 'nowhere' }
  placeholder ??= { ...account((path) => path).parse(written), deliver: [], route: [] }
  return placeholder
}

/** More would be no line. */
const FAULTS_SHOWN = 3

function defaultsOf(source: Source): Layer | null {
  const { root } = source
  const written = isWritten(root) ? root['defaults'] : undefined
  return isWritten(written) ? { source, path: ['defaults'], written } : null
}

/** The secret that gives way to the other one in `own`; null: none does. */
function droppedBy(own: Written, inherited: Written): 'password' | 'token' | null {
  if (own['token'] !== undefined && own['password'] === undefined && inherited['password'] !== undefined)
    return 'password'
  if (own['password'] !== undefined && own['token'] === undefined && inherited['token'] !== undefined) return 'token'
  return null
}

const FINE: readonly never[] = []

function parseKey(
  { source, path }: Layer,
  shape: Readonly<Record<string, z.core.$ZodType>>,
  key: string,
  written: unknown,
  env: Environment,
): Parsed {
  const at = [...path, key]
  const schema = Object.hasOwn(shape, key) ? shape[key] : undefined
  if (schema === undefined)
    return { value: undefined, problems: [unknownKey(path, key, Object.keys(shape))], faults: FINE }
  const whole = filled(written, at, env)
  if (whole.missing.length > 0) {
    const faults = whole.missing.map(
      (one) => `${placeIn(source, one.path)}: ${pathText(one.path)}: ${missingText(one)}`,
    )
    return { value: undefined, problems: FINE, faults }
  }
  const parsed = parse(schema, whole.value)
  if (parsed.success) return { value: parsed.data, problems: FINE, faults: FINE }
  return {
    value: undefined,
    problems: withoutValues(issueProblems(parsed.error.issues, whole.value, at), whole),
    faults: FINE,
  }
}

function parse(schema: z.core.$ZodType, value: unknown): z.core.util.SafeParseResult<unknown> {
  return z.safeParse(schema, value, WITHOUT_COMPILING)
}

/** Each of these problems in a line of its own place. */
export function problemTexts(source: Source, problems: readonly Problem[]): readonly string[] {
  return problems.map(
    (problem) => `${placeIn(source, problem.path)}: ${pathText(problem.path)}: ${mismatchText(problem)}`,
  )
}

function isPoll(value: unknown): value is Account['poll'] {
  return typeof value === 'object' && value !== null && 'minMs' in value
}
