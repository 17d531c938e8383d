// Everything that is wrong with a configuration, in one report: a summary, and a line for each problem with its file, line and path.
import { mismatchText, pathText, PROBLEMS_SHOWN, WrongConfiguration, type Path } from '../problem.ts'
import { reading, shownPath } from './read-text.ts'

/** A problem and its place, as a report names it. */
export interface Line {
  /** A path, or the name of a source. */
  readonly file: string
  /** Null: the file as a whole. */
  readonly line: number | null
  readonly path: Path
  readonly found: string
  readonly expected: string
}

/** `file`: the configuration itself. Its lines come first, then those of `others`, in the order in which these were read. */
export function wrongConfiguration(
  file: string,
  others: readonly string[],
  lines: readonly Line[],
): WrongConfiguration {
  const places = new Map([file, ...others].map((name, at) => [name, at]))
  const ordered = lines.toSorted(
    (a, b) => (places.get(a.file) ?? 0) - (places.get(b.file) ?? 0) || (a.line ?? 0) - (b.line ?? 0),
  )
  const problems = ordered.map(({ file: name, line, path, found, expected }) => {
    return { file: shownPath(name), line, path: pathText(path), found, expected }
  })
  return new WrongConfiguration(report(file, ordered), problems)
}

function report(file: string, ordered: readonly Line[]): string {
  const shown = ordered.slice(0, PROBLEMS_SHOWN).map(lineText)
  const more = ordered.length - shown.length
  if (more > 0) shown.push(`and ${more} more`)
  const count = ordered.length === 1 ? '1 problem' : `${ordered.length} problems`
  return `${reading(file)}: ${count}; nothing was done:\n${shown.join('\n')}`
}

/** `FILE:LINE: PATH: found X, expected Y`. */
export function lineText({ file, line, path, found, expected }: Line): string {
  const place = line === null ? shownPath(file) : `${shownPath(file)}:${line}`
  return `${place}: ${path.length === 0 ? '' : `${pathText(path)}: `}${mismatchText({ found, expected })}`
}
