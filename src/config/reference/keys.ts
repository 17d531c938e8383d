// Every key of the configuration, as a person wants to read about it: where it stands, what it may hold, its default, what it
// does. All of it is read from the zod schemas that check the file: `values` are the very words that follow "expected" in
// an error. The terminal, the manual page and the page in examples/ show this list.
import * as z from 'zod'
import { destination } from '../destinations/schemas/destination.ts'
import { oauthClient } from '../oauth/client.ts'
import { issueProblems } from '../problem.ts'
import { account, top } from '../schema.ts'
import type { ResolvePath } from '../values/values.ts'

export interface ReferenceKey {
  /** The path in the file; NAME, KIND and [] stand for what a person chooses: `accounts.NAME.route[].when`. */
  readonly path: string
  /** What it may hold, as the words after "expected". */
  readonly values: string
  /** As it would be written; null: there is none, or the description says it. */
  readonly usual: string | null
  readonly required: boolean
  readonly description: string
}

/** Keys that belong together. */
export interface ReferenceSection {
  readonly title: string
  /** The `type` of the destinations that have these keys; null: the keys are not a destination's. */
  readonly kind: string | null
  readonly keys: readonly ReferenceKey[]
}

const asWritten: ResolvePath = (text) => text

/** The schemas of mappings below these keys are sections of their own, or said in words. */
const WHOLE: ReadonlySet<string> = new Set(['accounts', 'destinations', 'defaults', 'oauth', 'deliver'])

/** All keys, in the order of a file. */
export function reference(): readonly ReferenceSection[] {
  const whole = top(asWritten, {
    account: z.unknown(),
    destination: z.unknown(),
    defaults: z.record(z.string(), z.unknown(), { error: 'a mapping of account keys' }).optional(),
    oauth: z.unknown(),
  })
  const kinds = mappingsIn(destination(asWritten)).map((schema): ReferenceSection => {
    const [word] = literalsOf(schema._zod.def.shape['type']) ?? []
    const kind = String(word)
    return { title: `Destination of type ${kind}: destinations.NAME`, kind, keys: keysIn(schema, 'destinations.NAME.') }
  })
  return [
    section('Top level', '', whole),
    section('Account: accounts.NAME', 'accounts.NAME.', account(asWritten)),
    ...kinds,
    section('OAuth 2.0 client: oauth.NAME', 'oauth.NAME.', oauthClient(asWritten)),
  ]
}

function section(title: string, before: string, schema: z.core.$ZodType): ReferenceSection {
  return { title, kind: null, keys: mappingsIn(schema).flatMap((mapping) => keysIn(mapping, before)) }
}

function keysIn(mapping: Mapping, before: string): readonly ReferenceKey[] {
  return Object.entries(mapping._zod.def.shape).flatMap(([name, schema]): readonly ReferenceKey[] => {
    const path = `${before}${name}`
    if (literalsOf(schema) !== null) return []
    const key = keyOf(path, schema)
    if (WHOLE.has(name)) return [key]
    const inner = mappingsIn(schema).filter(({ _zod }) => Object.values(_zod.def.shape).some(isDescribed))
    return [key, ...inner.flatMap((each) => keysIn(each, `${path}${isList(schema) ? '[]' : ''}.`))]
  })
}

function keyOf(path: string, schema: z.core.$ZodType): ReferenceKey {
  const { description = '', default: usual } = z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' })
  return {
    path,
    values: valuesOf(schema),
    usual: usual === undefined || isEmpty(usual) ? null : asYaml(usual),
    required: !z.safeParse(schema, undefined).success,
    description,
  }
}

/** The words of the error for a value that nothing takes. */
function valuesOf(schema: z.core.$ZodType): string {
  const { error } = z.safeParse(schema, Symbol('nothing takes this'))
  const [problem] = error === undefined ? [] : issueProblems(error.issues, undefined, [])
  // What only an error has to say: YAML may read such text as a number.
  return problem?.expected.replace(/, as text in quotes$/, '') ?? 'anything'
}

type Mapping = z.core.$ZodObject<z.core.$ZodShape>

/** The mappings that a value of the schema may be. */
function mappingsIn(schema: z.core.$ZodType): readonly Mapping[] {
  if (schema instanceof z.core.$ZodObject) return [schema]
  return partsOf(schema).flatMap(mappingsIn)
}

/** The schemas of which a schema is made, as far as they take what is written: not what becomes of it. */
function partsOf(schema: z.core.$ZodType): readonly z.core.$ZodType[] {
  if (schema instanceof z.core.$ZodPipe) return [schema._zod.def.in]
  if (schema instanceof z.core.$ZodUnion) return schema._zod.def.options
  if (schema instanceof z.core.$ZodArray) return [schema._zod.def.element]
  if (schema instanceof z.core.$ZodOptional) return [schema._zod.def.innerType]
  if (schema instanceof z.core.$ZodDefault || schema instanceof z.core.$ZodPrefault) return [schema._zod.def.innerType]
  return []
}

function isList(schema: z.core.$ZodType): boolean {
  return schema instanceof z.core.$ZodArray || partsOf(schema).some((part) => part instanceof z.core.$ZodArray)
}

function isDescribed(schema: z.core.$ZodType): boolean {
  return z.globalRegistry.get(schema)?.description !== undefined
}

/** The only value that it accepts; null: another kind of schema. */
function literalsOf(schema: z.core.$ZodType | undefined): readonly unknown[] | null {
  return schema instanceof z.core.$ZodLiteral ? schema._zod.def.values : null
}

function isEmpty(value: unknown): boolean {
  return typeof value === 'object' && value !== null && Object.keys(value).length === 0
}

function asYaml(value: unknown): string {
  return Array.isArray(value) ? `[${value.map(String).join(', ')}]` : String(value)
}

/** The keys that a person may mean by `wanted`: a key (`port`), the end or the whole of a path (`daemon.http`,
 *  `accounts.work.port`), a kind of destination (`smtp`), with all that stands below. [] when there is none. */
export function referenceOf(wanted: string): readonly ReferenceSection[] {
  const steps = wanted
    .replace(/^defaults\./, 'accounts.NAME.')
    .replaceAll('[]', '')
    .split('.')
  const found = reference().map((each) => ({ ...each, keys: each.keys.filter((key) => isMeant(steps, key, each)) }))
  return found.filter(({ keys }) => keys.length > 0)
}

function isMeant(wanted: readonly string[], { path }: ReferenceKey, { kind }: ReferenceSection): boolean {
  const written = path.replaceAll('[]', '').split('.')
  const named = kind === null ? written : written.with(1, kind)
  return [written, named].some((steps) => steps.some((_, at) => standsAt(at, wanted, steps)))
}

/** NAME stands for any name, where what is before it is given as well. */
function standsAt(at: number, wanted: readonly string[], steps: readonly string[]): boolean {
  return wanted.every((step, index) => {
    const there = steps[at + index]
    return there === step || (there === 'NAME' && at === 0 && index > 0)
  })
}

/** Words of which `referenceOf` finds something, for a hint to a person. */
export function referenceWords(): readonly string[] {
  const all = reference()
  const paths = all.flatMap(({ keys }) => keys.map(({ path }) => path.replaceAll('[]', '')))
  const kinds = all.flatMap(({ kind }) => kind ?? [])
  return [...new Set([...kinds, ...paths.flatMap((path) => [path.split('.').at(-1) ?? '', path])])]
}
