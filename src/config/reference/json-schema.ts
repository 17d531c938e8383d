// The JSON Schema of a configuration file, for editors. It is made from the zod schemas that check the file, so that both say
// the same. A part that is in many places, such as a destination, is written once under `$defs`.
// The one rule: whatever popfetch takes, this schema takes too. It may take more: which keys go together only popfetch knows.
import * as z from 'zod'
import { destination } from '../destinations/schemas/destination.ts'
import { oauthClient } from '../oauth/client.ts'
import { accountDefaults, top } from '../schema.ts'
import { NOT_IN_FILES, SECRET_KEYS } from '../values/values.ts'
import { isWritten, type Written } from '../values/written.ts'
import type { ResolvePath } from '../values/values.ts'

/** The name of the schema, and where it can be read once the package is published. */
export const SCHEMA_ID = 'https://unpkg.com/popfetch/dist/config.schema.json'

/** The first line of a new configuration: editors with the YAML language server check and complete the file by it. */
export const EDITOR_LINE = `# yaml-language-server: $schema=${SCHEMA_ID}`

const ACCOUNT = ['properties', 'accounts', 'additionalProperties']

/** The parts that get a name, and where each stands. A part comes before the parts that contain it. */
const PARTS: readonly (readonly [name: string, place: readonly string[]])[] = [
  ['secret', [...ACCOUNT, 'properties', 'password']],
  ['token', [...ACCOUNT, 'properties', 'token']],
  ['destination', ['properties', 'destinations', 'additionalProperties']],
  ['deliver', [...ACCOUNT, 'properties', 'deliver']],
  ['account', ACCOUNT],
]

/** Draft 2020-12. */
export function jsonSchema(): object {
  const asWritten: ResolvePath = (text) => text
  const { $schema, ...whole } = z.toJSONSchema(
    top(asWritten, {
      // Any key may come from `defaults`, so none is required here.
      account: accountDefaults(asWritten),
      destination: destination(asWritten),
      defaults: accountDefaults(asWritten).optional(),
      oauth: oauthClient(asWritten),
    }),
    {
      io: 'input',
      unrepresentable: 'any',
      override: ({ jsonSchema: { anyOf } }) => {
        const others = anyOf?.findIndex((one) => isWritten(one) && one[NOT_IN_FILES] === true) ?? -1
        if (others >= 0) anyOf?.splice(others, 1)
      },
    },
  )
  let schema: unknown = whole
  const $defs: Record<string, unknown> = {}
  for (const [name, place] of PARTS) {
    const part = bare(place.reduce<unknown>((node, key) => (isWritten(node) ? node[key] : undefined), schema))
    schema = replaced(schema, JSON.stringify(part), `#/$defs/${name}`)
    $defs[name] = part
  }
  const written = withVariables(isWritten(schema) ? schema : {}, [])
  for (const [name, part] of Object.entries($defs))
    if (name !== 'secret' && name !== 'token') $defs[name] = withVariables(part, [name])
  $defs['variable'] = VARIABLE
  return {
    $schema,
    $id: SCHEMA_ID,
    title: 'popfetch configuration',
    ...written,
    patternProperties: { '^x-': true },
    $defs,
  }
}

const VARIABLE = {
  type: 'object',
  description: 'The value of an environment variable',
  properties: { env: { type: 'string', pattern: '^[A-Za-z_]\\w*$' } },
  required: ['env'],
  additionalProperties: false,
}

const REFERENCE = { $ref: '#/$defs/variable' }

/** With `{ env: NAME }` beside each text and number that is no secret (sources/environment.ts). `path`: keys only. */
function withVariables(node: unknown, path: readonly string[]): Written {
  if (!isWritten(node)) return {}
  const { description, default: usual, ...bareNode } = node
  const key = path.at(-1) ?? ''
  if (isReadLater(path) || key === 'type' || '$ref' in node) return node
  const deeper = (inner: unknown): unknown => (isWritten(inner) ? withVariables(inner, path) : inner)
  if (isScalar(node)) {
    const beside = {
      ...(description === undefined ? {} : { description }),
      ...(usual === undefined ? {} : { default: usual }),
    }
    return { anyOf: [bareNode, REFERENCE], ...beside }
  }
  const { anyOf, oneOf, items, prefixItems, properties, additionalProperties } = node
  const within = (all: unknown): unknown =>
    Array.isArray(all) ? all.map((one: unknown) => (isScalar(one) ? one : deeper(one))) : all
  return {
    ...node,
    ...(Array.isArray(anyOf)
      ? { anyOf: [...asList(within(anyOf)), ...(anyOf.some(isScalar) ? [REFERENCE] : [])] }
      : {}),
    ...(Array.isArray(oneOf) ? { oneOf: within(oneOf) } : {}),
    ...(isWritten(items) ? { items: deeper(items) } : {}),
    ...(Array.isArray(prefixItems) ? { prefixItems: prefixItems.map(deeper) } : {}),
    ...(isWritten(additionalProperties) ? { additionalProperties: deeper(additionalProperties) } : {}),
    ...(isWritten(properties)
      ? {
          properties: Object.fromEntries(
            Object.entries(properties).map(([name, inner]) => [name, withVariables(inner, [...path, name])]),
          ),
        }
      : {}),
  }
}

function asList(all: unknown): readonly unknown[] {
  return Array.isArray(all) ? all : []
}

function isScalar(node: unknown): boolean {
  if (!isWritten(node) || 'const' in node) return false
  return ['string', 'integer', 'number'].includes(String(node['type'])) || Array.isArray(node['enum'])
}

/** Secrets say themselves where they come from. */
function isReadLater(path: readonly string[]): boolean {
  const key = path.at(-1) ?? ''
  return SECRET_KEYS.has(key) || (path[0] === 'notify' && ['url', 'ping', 'headers'].includes(key))
}

/** A part without what belongs to the key that holds it. */
function bare(part: unknown): Written {
  if (!isWritten(part)) throw new TypeError('the schema lacks a part that is named')
  const { description: _, default: _default, ...rest } = part
  return rest
}

/** `node` with a reference wherever the part stands whose text is `text`. */
function replaced(node: unknown, text: string, $ref: string): unknown {
  if (Array.isArray(node)) return node.map((item) => replaced(item, text, $ref))
  if (!isWritten(node)) return node
  if (JSON.stringify(bare(node)) === text) {
    const { description, default: usual } = node
    return {
      $ref,
      ...(description === undefined ? {} : { description }),
      ...(usual === undefined ? {} : { default: usual }),
    }
  }
  return Object.fromEntries(Object.entries(node).map(([key, inner]) => [key, replaced(inner, text, $ref)]))
}
