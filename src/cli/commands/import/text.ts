// The answer of `popfetch import` in words. Pure.
import type { PopfetchError } from '../../../errors.ts'
import { TRIAL_MAILDIR } from '../../../setup/trial.ts'
import type { Tool } from './options.ts'
import type { TakenOver } from './seen.ts'
import { counted } from '../../../status/words/amounts.ts'
import type { StatePlace } from '../../../config/state/place.ts'

export interface ImportedReport {
  readonly tool: Tool
  /** The old tool goes on beside popfetch. */
  readonly isTrial: boolean
  readonly files: readonly string[]
  readonly file: string
  readonly place: StatePlace
  readonly seen: readonly TakenOver[]
  /** Files into which a person has to write a password. */
  readonly missing: readonly string[]
  readonly problem: PopfetchError | null
}

export function importLines({ tool, isTrial, file, seen, missing, problem }: ImportedReport): readonly string[] {
  const polled = seen.filter(({ off }) => !off).length
  const off = seen.length - polled
  const rest = off === 0 ? '' : `, ${off} more as a comment`
  return [
    `${file}: ${counted(polled, 'account')}${rest}; see its comments for differences`,
    ...seen.map((each) => `${each.name}: ${seenText(each, tool)}`),
    ...(isTrial ? [`mail of the trial goes into ${TRIAL_MAILDIR}/ACCOUNT, and nothing is deleted`] : []),
    ...missing.map((place) => `password missing: write it into ${place}, readable only by you`),
    ...(problem === null && isTrial
      ? [
          `next: popfetch check, then popfetch beside ${tool}; when you have seen enough: stop ${tool}, then popfetch import ${tool} --finish-trial`,
        ]
      : []),
    ...(problem === null && !isTrial
      ? [`next: stop ${tool} and what starts it, then popfetch check, then popfetch`]
      : []),
  ]
}

/** Of accounts like one another nobody reads a hundred. */
const MOST_WARNINGS = 20

/** What must not be overlooked; all of it is in the new file, too. */
export function warningLines(seen: readonly TakenOver[]): readonly string[] {
  const all = seen.flatMap(({ name, warnings }) => warnings.map((warning) => `${name}: ${warning}`))
  const more = all.length - MOST_WARNINGS
  return [...all.slice(0, MOST_WARNINGS), ...(more > 0 ? [`and ${more} more warnings, see the new file`] : [])]
}

/** What the old tool deletes from the server first, the trial never sees. */
export function trialWarnings(seen: readonly TakenOver[], tool: Tool): readonly string[] {
  const deleting = seen.filter(({ off, delete: policy }) => !off && policy !== 'never').map(({ name }) => name)
  if (deleting.length === 0) return []
  const names =
    deleting.length > 5 ? `${deleting.slice(0, 5).join(', ')} and ${deleting.length - 5} more` : deleting.join(', ')
  return [
    `warning: ${tool} itself deletes what it has fetched (${names}), so the trial misses messages that it takes first: let it keep mail during the trial`,
  ]
}

function seenText({ name, count, delete: policy, takenOver, off }: TakenOver, tool: Tool): string {
  if (count !== null) {
    const known = `${counted(count, 'message')} already fetched by ${tool}`
    return takenOver && policy !== 'never'
      ? `${known}: not fetched again, and deleted like messages that popfetch delivers (delete: ${policy})`
      : `${known}: neither fetched again nor deleted`
  }
  if (off) return 'not polled'
  // Without a record, what is left on the server comes again.
  return policy !== 'after-delivery'
    ? `${tool} has no record of what it fetched: everything on the server is new; to skip what is there now, make the first poll popfetch --mark-seen ${name}`
    : `${tool} has no record of what it fetched: everything on the server is new`
}
