// The files that `include` names: where they are, and in which order they are read. How one is read is read-text.ts.
import { readdir } from 'node:fs/promises'
import path from 'node:path'
import { errnoOf } from '../../errors.ts'
import type { Environment } from '../paths.ts'
import type { Problem } from '../problem.ts'
import { filled } from './environment.ts'
import { isPattern } from '../values/pattern.ts'
import { isWritten } from '../values/written.ts'
import type { ResolvePath } from '../values/values.ts'

/** Nobody means more. */
const MOST_FILES = 20_000

export interface Included {
  /** Absolute paths, each once, in the order in which they are read. */
  readonly files: readonly string[]
  readonly problems: readonly Problem[]
  /** Sentences for `config check`. */
  readonly doubts: readonly string[]
  /** Which files there are, a folder says. */
  readonly hasPattern: boolean
}

/** What `include` of this root names. What is no path is left to the schema. */
export async function includedFiles(
  root: unknown,
  main: string,
  { resolve, env }: { readonly resolve: ResolvePath; readonly env: Environment },
): Promise<Included> {
  const written = isWritten(root) ? filled(root['include'], ['include'], env).value : undefined
  const patterns = Array.isArray(written) ? written : [written]
  const files = new Set<string>()
  const problems: Problem[] = []
  const doubts: string[] = []
  for (const [index, pattern] of patterns.entries()) {
    if (typeof pattern !== 'string' || !isPattern(pattern)) continue
    const at = Array.isArray(written) ? ['include', index] : ['include']
    const resolved = resolve(pattern)
    const told = (found: string, expected: string): void =>
      void problems.push({ path: at, at: 'value', found, expected })
    if (resolved === null) {
      told('a path that is relative', 'an absolute path')
      continue
    }
    try {
      const found = await matching(resolved)
      if (found.length === 0) doubts.push(`include: no file matches ${pattern}`)
      for (const file of found) {
        if (file === main) told('the configuration itself', 'another file')
        else files.add(file)
      }
    } catch (error) {
      told(`a folder that cannot be read (${errnoOf(error) ?? String(error)})`, 'a folder that is there, and readable')
    }
    if (files.size > MOST_FILES) {
      told(`more than ${MOST_FILES} files`, 'fewer, with more accounts in each')
      return { files: [], problems, doubts, hasPattern: true }
    }
  }
  const hasPattern = patterns.some((pattern) => typeof pattern === 'string' && pattern.includes('*'))
  return { files: [...files], problems, doubts, hasPattern }
}

/** The files that a path means in which one `*` may stand for any text of one name. Hidden ones only where the dot is written. */
async function matching(pattern: string): Promise<readonly string[]> {
  const parts = pattern.split(path.sep)
  const at = parts.findIndex((part) => part.includes('*'))
  if (at < 0) return [pattern]
  const folder = parts.slice(0, at).join(path.sep) || path.sep
  const [before = '', after = ''] = (parts[at] ?? '').split('*')
  const names = (await readdir(folder)).filter(
    (name) =>
      name.startsWith(before) &&
      name.endsWith(after) &&
      name.length >= before.length + after.length &&
      (before !== '' || !name.startsWith('.')),
  )
  // By their bytes: an order that no language of a machine changes.
  const inOrder = names.toSorted((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)))
  return inOrder.map((name) => [folder === path.sep ? '' : folder, name, ...parts.slice(at + 1)].join(path.sep))
}
