// Where the ledger is, as the configuration says it, before the rest of it is looked at.
import { usualStatePath, type Environment } from '../paths.ts'
import { isWritten } from '../values/written.ts'
import type { ResolvePath } from '../values/values.ts'
import { filled } from './environment.ts'

/** `state`: as written. Null: it is wrong. */
export function statePathOf(
  state: unknown,
  { resolve, env }: { readonly resolve: ResolvePath; readonly env: Environment },
): string | null {
  const { value } = filled(state, ['state'], env)
  if (value === undefined) return usualStatePath(env)
  if (isWritten(value)) return statePathOf(value['path'], { resolve, env })
  return typeof value === 'string' && value !== '' ? resolve(value) : null
}
