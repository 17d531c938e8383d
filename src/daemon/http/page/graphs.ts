// The last days of an account as a small picture: a bar for each day's messages, a mark below for a day with failed polls. The
// same is there in words, for those who cannot see it. Pure.
import type { Day } from '../../../ledger/records.ts'
import type { PastPoll } from '../../../poll/account/polls.ts'
import type { PollOutcome } from '../../../poll/report.ts'
import { counted, size } from '../../../status/words/amounts.ts'
import { span } from '../../../status/words/moment.ts'
import { html, type Html } from './html.ts'

export const DAYS_SHOWN = 30

const DAY_MS = 86_400_000
const [STEP, WIDTH, HEIGHT, GAP, MARK] = [5, 4, 20, 2, 4]

export function graph(days: readonly Day[], nowMs: number): Html {
  const text = summary(days)
  const today = Math.floor(nowMs / DAY_MS)
  const most = Math.max(1, ...days.map(({ delivered }) => delivered))
  let bars = ''
  let fails = ''
  for (const { startMs, delivered, failures } of days) {
    const place = DAYS_SHOWN - 1 - (today - Math.floor(startMs / DAY_MS))
    if (place < 0 || place >= DAYS_SHOWN) continue
    const left = place * STEP
    // A single message is seen, too.
    const height = Math.max(2, Math.round((delivered / most) * HEIGHT))
    if (delivered > 0) bars += `M${left} ${HEIGHT}v-${height}h${WIDTH}v${height}z`
    if (failures > 0) fails += `M${left} ${HEIGHT + GAP}h${WIDTH}v${MARK}h-${WIDTH}z`
  }
  const total = DAYS_SHOWN * STEP
  return html`<svg
    class="graph"
    viewBox="0 0 ${total} ${HEIGHT + GAP + MARK}"
    preserveAspectRatio="none"
    role="img"
    aria-label="${text}"
  >
    <title>${text}</title>
    <path class="base" d="M0 ${HEIGHT + 0.5}h${total}" stroke-width="1"></path>
    <path class="bar" d="${bars}"></path>
    <path class="fail" d="${fails}"></path>
  </svg>`
}

const TONES: Readonly<Record<PollOutcome, string>> = {
  ok: 'good',
  partial: 'doubtful',
  failed: 'bad',
  paused: 'base',
  busy: 'base',
}
const [SQUARE, BESIDE, POLLS_SHOWN] = [6, 3, 10]

/** The last polls, the newest at the right: a square each. */
export function pollMarks(polls: readonly PastPoll[]): Html | null {
  if (polls.length === 0) return null
  const text = `last polls, the newest first: ${polls.map(({ outcome }) => outcome).join(', ')}`
  const place = (at: number): number => (POLLS_SHOWN - 1 - at) * (SQUARE + BESIDE)
  return html`<svg
    class="polls"
    viewBox="0 0 ${POLLS_SHOWN * (SQUARE + BESIDE) - BESIDE} ${SQUARE}"
    role="img"
    aria-label="${text}"
  >
    <title>${text}</title>
    ${polls.map(
      ({ outcome }, at) =>
        html`<rect
          class="${TONES[outcome]}"
          x="${place(at)}"
          y="0"
          width="${SQUARE}"
          height="${SQUARE}"
          rx="1"
        ></rect>`,
    )}
  </svg>`
}

/** In words. */
export function summary(days: readonly Day[]): string {
  const sum = (of: (day: Day) => number): number => days.reduce((total, day) => total + of(day), 0)
  const delivered = sum((day) => day.delivered)
  const failures = sum((day) => day.failures)
  const longestWaitMs = Math.max(0, ...days.map((day) => day.longestWaitMs))
  return [
    `last ${DAYS_SHOWN} days: ${counted(delivered, 'message')} (${size(sum((day) => day.bytes))})`,
    failures === 0 ? '' : counted(failures, 'failed poll'),
    longestWaitMs < 60_000 ? '' : `longest wait ${span(longestWaitMs)}`,
  ]
    .filter((part) => part !== '')
    .join(', ')
}
