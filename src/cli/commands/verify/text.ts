// The answer of `verify` in words, and as JSON. Pure.
import { display, grouped } from '../../../display.ts'
import { toldError } from '../../../poll/report.ts'
import { counted } from '../../../status/words/amounts.ts'
import { printedUidl } from '../../../status/words/uidl.ts'
import type { Amiss, Verdict } from '../../../verify/report.ts'

/** Lines of each kind; JSON has more. */
const SHOWN = 10

export function verdictLines(verdict: Verdict, { digest }: { readonly digest: boolean }): readonly string[] {
  const { account, lists, missing, unknown, differ, unshown, notes, error, moved, read } = verdict
  const of = (line: string): string => `${account}: ${line}`
  return [
    of(
      error === null
        ? countsText(verdict)
        : `could not be asked: ${error.message}; of the rest: ${countsText(verdict)}`,
    ),
    ...amissLines('missing at', lists.missing, missing).map(of),
    ...amissLines('differs at', lists.differ, differ).map(of),
    ...shortened(
      lists.unknown.map((name) => `not known: ${name}`),
      unknown,
    ).map(of),
    ...(moved === 0 ? [] : [of(`${counted(moved, 'message')} found in another folder`)]),
    ...(unshown.length === 0 ? [] : [of(`${unshown.join(', ')} cannot show what it has: its accepted answers count`)]),
    ...(digest ? [of(`${counted(read, 'message')} read again and compared`)] : []),
    ...notes.map(of),
  ]
}

/** What can be done about what is amiss; none: nothing is. */
export function adviceLines(verdicts: readonly Verdict[]): readonly string[] {
  const isMissing = verdicts.some(({ missing }) => missing > 0)
  const isDifferent = verdicts.some(({ differ }) => differ > 0)
  return [
    ...(isMissing
      ? [
          'missing messages were deleted, moved or lost after delivery: popfetch state forget ACCOUNT UIDL fetches those again that are still on the server',
        ]
      : []),
    ...(isDifferent
      ? [
          'a mail program may have changed what differs; so does a server that sends lone line ends, to a destination that keeps lines',
        ]
      : []),
  ]
}

const WORDS: readonly (readonly [
  keyof Verdict & ('gone' | 'waiting' | 'refused' | 'held' | 'skipped' | 'missing' | 'unknown' | 'differ'),
  string,
])[] = [
  ['gone', 'gone from the server'],
  ['waiting', 'waiting'],
  ['refused', 'refused'],
  ['held', 'held'],
  ['skipped', 'skipped'],
  ['missing', 'missing'],
  ['unknown', 'not known'],
  ['differ', 'differ'],
]

function countsText(verdict: Verdict): string {
  const others = WORDS.flatMap(([name, word]) => (verdict[name] === 0 ? [] : [`${grouped(verdict[name])} ${word}`]))
  return [`${grouped(verdict.agree)} ${verdict.agree === 1 ? 'agrees' : 'agree'}`, ...others].join(', ')
}

function amissLines(what: string, list: readonly Amiss[], count: number): readonly string[] {
  return shortened(
    list.map(({ uidl, copy, from, subject, destination }) => {
      const number = copy === 0 ? '' : ` (copy ${copy})`
      const about = [
        ...(from === null ? [] : [`from ${display(from, 60)}`]),
        ...(subject === null ? [] : [`"${display(subject, 60)}"`]),
      ]
      return `${what} ${destination}: ${[`${printedUidl(uidl)}${number}`, ...about].join(', ')}`
    }),
    count,
  )
}

function shortened(lines: readonly string[], count: number): readonly string[] {
  if (count <= SHOWN) return lines
  return [...lines.slice(0, SHOWN), `and ${grouped(count - Math.min(SHOWN, lines.length))} more: --json lists them`]
}

export function verdictJson(verdict: Verdict): object {
  const { account, agree, gone, waiting, refused, held, skipped, missing, unknown, differ, moved, read } = verdict
  const uidls = (list: readonly Amiss[]): readonly string[] => list.map(({ uidl }) => printedUidl(uidl))
  return {
    account,
    agree,
    gone,
    waiting,
    refused,
    held,
    missing,
    unknown,
    differ,
    lists: {
      missing: uidls(verdict.lists.missing),
      unknown: verdict.lists.unknown,
      differ: uidls(verdict.lists.differ),
    },
    skipped,
    moved,
    read,
    unshown: verdict.unshown,
    notes: verdict.notes,
    error: toldError(verdict.error),
  }
}
