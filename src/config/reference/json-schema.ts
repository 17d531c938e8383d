// The JSON Schema of a configuration file, for editors. It is made from the zod schemas that check the file, so that both say
// the same. A part that is in many places, such as a destination, is written once under `$defs`.
// The one rule: whatever popfetch takes, this schema takes too. It may take more: which keys go together only popfetch knows.
import * as z from 'zod'
import { destination } from '../destinations/schemas/destination.ts'
import { oauthClient } from '../oauth/client.ts'
import { accountDefaults, top } from '../schema.ts'
import { NOT_IN_FILES } from '../values/values.ts'
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
  const written = isWritten(schema) ? schema : {}
  return {
    $schema,
    $id: SCHEMA_ID,
    title: 'popfetch configuration',
    ...written,
    patternProperties: { '^x-': true },
    $defs,
  }
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
