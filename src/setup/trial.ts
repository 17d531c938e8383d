// A trial beside an old tool: each account keeps its mail on the server and delivers into a Maildir of the trial's own. What it
// will do afterwards is in the file as comments, and ends the trial by taking their place. Pure.
// One rule: a line that a person has changed meanwhile is left alone, and named.
import type { Written } from '../config/values/written.ts'

/** Each account has a folder of its own. */
export const TRIAL_MAILDIR = '~/Mail/trial'

export const TRIAL_NAME = 'trial'
export const TRIAL_DESTINATION: Written = { type: 'maildir', path: `${TRIAL_MAILDIR}/{account}` }

/** What an account has while the trial lasts. */
export const TRIAL_WRITTEN = { deliver: TRIAL_NAME, delete: 'never' } as const

/** What is at the top of the file while the trial lasts. */
export function trialHeading(tool: string): readonly string[] {
  return [
    `A trial beside ${tool}: nothing is deleted, and mail goes into a Maildir of its own.`,
    `${ENDED_BY} ${tool} --finish-trial ends it, and activates what is written after "after the trial".`,
  ]
}

const ENDED_BY = 'When you have seen enough: popfetch import'
const OF_HEADING = new RegExp(`^# (?:A trial beside \\w+: |${ENDED_BY} )`)

const MARK = '# after the trial: '

/** The keys of an account that the trial changes, as comments. */
export function trialMarks(keys: Written): string {
  return Object.entries(keys)
    .map(([key, value]) => `${MARK}${key}: ${inline(value)}\n`)
    .join('')
}

export interface TrialEnded {
  readonly text: string
  /** How many keys have their value of after the trial now. */
  readonly changed: number
  /** Lines, from 1 on, of marks whose key is not what the trial wrote. */
  readonly left: readonly number[]
}

/** The text of a file with the marks in place of what the trial wrote. */
export function endTrial(text: string, trialKeys: Written): TrialEnded {
  const lines: (string | null)[] = text.split('\n')
  const left: number[] = []
  let changed = 0
  for (const [at, line] of lines.entries()) {
    if (line !== null && OF_HEADING.test(line)) lines[at] = null
    const start = line?.indexOf(MARK) ?? -1
    if (line === null || line === undefined || start < 0 || line.slice(0, start).trim() !== '') continue
    const indent = line.slice(0, start)
    const wanted = line.slice(start + MARK.length)
    const key = wanted.slice(0, wanted.indexOf(':'))
    const before = `${indent}${key}: ${inline(trialKeys[key])}`
    const place = placeBefore(lines, at, indent, before)
    if (place < 0) left.push(at + 1)
    else {
      lines[place] = `${indent}${wanted}`
      lines[at] = null
      changed += 1
    }
  }
  return { text: lines.filter((line) => line !== null).join('\n'), changed, left }
}

/** The nearest line above that is `wanted`, within the account: lines with as many blanks in front, or more; -1: there is none. */
function placeBefore(lines: readonly (string | null)[], from: number, indent: string, wanted: string): number {
  for (let at = from - 1; at >= 0; at--) {
    const line = lines[at] ?? null
    if (line === null || line.trim() === '') continue
    if (!line.startsWith(indent)) return -1
    if (line.trimEnd() === wanted) return at
  }
  return -1
}

function inline(value: unknown): string {
  return typeof value === 'string' && /^[A-Za-z0-9][\w.-]*$/.test(value) ? value : JSON.stringify(value)
}
