// Values that are written as a shell or a container's tool would have them replaced: `${POP_PASSWORD}`, `$POP_HOST`. Nothing
// replaces them here: a password would be sent to the server as it stands (N045, a variable that stays).
import type { Path, Problem } from '../problem.ts'
import { SECRET_KEYS } from './values.ts'
import { isWritten } from './written.ts'

const VARIABLE = /^\$\{\w{1,200}\}$/
/** In front of a secret a dollar sign may be the secret's own. */
const BARE = /^\$[A-Za-z_]\w{0,200}$/

export const NOT_REPLACED = 'text like ${NAME}, which is not replaced here'

/** A problem for each of them, with a pause after each value. Their names are not shown: a password may look like that, once in a
 *  while. */
export function* unreplaced(value: unknown, path: Path = []): Generator<void, readonly Problem[]> {
  if (!Array.isArray(value) && !isWritten(value)) return []
  const problems: Problem[] = []
  for (const [key, item] of Array.isArray(value) ? value.entries() : Object.entries(value)) {
    const isSecret = SECRET_KEYS.has(String(key))
    // A shell replaces what stands in a command that gives a secret.
    if (typeof item !== 'string') {
      if (!isSecret) problems.push(...(yield* unreplaced(item, [...path, key])))
    } else if (VARIABLE.test(item) || (!isSecret && BARE.test(item)))
      problems.push({
        path: [...path, key],
        at: 'value',
        found: NOT_REPLACED,
        expected: '{ env: NAME }, with the name of the variable',
      })
    yield
  }
  return problems
}
