// Secrets that are written as a shell or a container's tool would have them replaced: `${POP_PASSWORD}`. Nothing replaces them
// here, and they would be sent to the server as they stand (N045).
import type { Path, Problem } from '../problem.ts'
import { SECRET_KEYS } from './values.ts'
import { isWritten } from './written.ts'

const VARIABLE = /^\$\{\w{1,200}\}$/

/** A problem for each of them, with a pause after each value. Their names are not shown: a password may look like that, once in a
 *  while. */
export function* unreplaced(value: unknown, path: Path = []): Generator<void, readonly Problem[]> {
  if (!Array.isArray(value) && !isWritten(value)) return []
  const problems: Problem[] = []
  for (const [key, item] of Array.isArray(value) ? value.entries() : Object.entries(value)) {
    if (typeof item !== 'string') problems.push(...(yield* unreplaced(item, [...path, key])))
    else if (SECRET_KEYS.has(String(key)) && VARIABLE.test(item))
      problems.push({
        path: [...path, key],
        at: 'value',
        found: 'text like ${NAME}, which is not replaced here',
        expected: '{ env: NAME }, with the name of the variable',
      })
    yield
  }
  return problems
}
