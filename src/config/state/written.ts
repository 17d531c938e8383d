// Where the ledger is, as the configuration says it, before the rest of it is looked at, and although the rest may be wrong.
import type { Environment } from '../paths.ts'
import { filled } from '../sources/environment.ts'
import { WITHOUT_COMPILING, type ResolvePath } from '../values/values.ts'
import { isWritten } from '../values/written.ts'
import { state } from './keys.ts'
import { statePlace, type StatePlace } from './place.ts'

/** What says where it is; the other keys say how it is kept. */
const KEYS = ['path', 'postgres', 'password', 'ca', 'schema', 'key', 'formerKey']

/** `written`: the value of `state`. Null: it is wrong. */
export function statePlaceOf(
  written: unknown,
  { resolve, env }: { readonly resolve: ResolvePath; readonly env: Environment },
): StatePlace | null {
  const { value } = filled(written, ['state'], env)
  const place = isWritten(value)
    ? Object.fromEntries(Object.entries(value).filter(([key]) => KEYS.includes(key)))
    : value
  const parsed = state(resolve).safeParse(place, WITHOUT_COMPILING)
  return parsed.success ? statePlace(parsed.data, env) : null
}
