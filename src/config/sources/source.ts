// The texts of which a configuration is made. The file itself, the files that it includes, and what a program prints about
// accounts. read-text.ts opens a file, include.ts finds those that are included, environment.ts fills in variables, report.ts says what is wrong where.
// asked.ts runs the program, kept.ts decides whether its answer is taken.
import { atOnce } from '../turns.ts'
import { parsing, type TextDocument } from '../document.ts'
import type { Path, Problem } from '../problem.ts'
import type { ResolvePath } from '../values/values.ts'

export interface Source {
  /** As reports call it: a path, or ASKED (values/written.ts). */
  readonly name: string
  /** Plain values. */
  readonly root: unknown
  readonly resolve: ResolvePath
  /** The line of `path`; null: there are no lines. */
  readonly lineOf: (path: Path, at: Problem['at']) => number | null
  /** An account that is wrong stops only itself: a program printed it, and nobody can mend it there and then. */
  readonly leavesOut: boolean
}

/** Plain values without a text. */
export function sourceOf(root: unknown, resolve: ResolvePath): Source {
  return { name: '', root, resolve, lineOf: () => null, leavesOut: false }
}

/** Where something stands: `FILE:LINE`. */
export function placeIn({ name, lineOf }: Source, path: Path): string {
  const line = lineOf(path, 'key')
  return line === null ? name : `${name}:${line}`
}

/** Lines of a text that was read without them: the document is made when the first is asked for. */
export function linesOf(text: string): Source['lineOf'] {
  let document: TextDocument | null = null
  return (path, at) => {
    document ??= atOnce(parsing(text))
    return document.lineOf(path, at)
  }
}
