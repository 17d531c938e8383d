// What must be true at the end of the soak, judged from what the servers and the disk have. Pure.

export interface Seen {
  readonly intervalMs: number
  /** The form of some minutes: an account is polled too few times for an average of its own. */
  readonly short: boolean
  /** When each account was listed, by its name, in order. */
  readonly polls: ReadonlyMap<string, readonly number[]>
  readonly endMs: number
  /** Letters that were posted; `relayed`: also to SMTP. */
  readonly posted: ReadonlyMap<string, { readonly relayed: boolean }>
  /** How often each is in its Maildir. */
  readonly kept: ReadonlyMap<string, number>
  /** How often each came by SMTP. */
  readonly sent: ReadonlyMap<string, number>
  /** How often it was said that an answer for it was lost, by logs and by the ledger. */
  readonly told: ReadonlyMap<string, number>
  /** How long it took until others could have what a machine had, by what was done to it. */
  readonly failOvers: ReadonlyMap<string, number>
}

export interface Verdict {
  readonly what: string
  readonly holds: boolean
  readonly figures: string
}

const FAIL_OVER_MS = 30_000
/** Those that a kill, a stop, a restart and a frozen line meet just then. */
const MADE_AGAIN = 0.02

export function judge(seen: Seen): readonly Verdict[] {
  return [...letters(seen), ...intervals(seen), ...failOver(seen)]
}

function letters({ posted, kept, sent, told }: Seen): readonly Verdict[] {
  const names = [...posted.keys()]
  const missing = names.filter((name) => (kept.get(name) ?? 0) < 1)
  const twice = names.filter((name) => (kept.get(name) ?? 0) > 1)
  const relayed = names.filter((name) => posted.get(name)?.relayed === true)
  const unsent = relayed.filter((name) => (sent.get(name) ?? 0) < 1)
  const extra = (name: string): number => Math.max(0, (sent.get(name) ?? 0) - 1)
  const untold = relayed.filter((name) => extra(name) > (told.get(name) ?? 0))
  const copies = relayed.reduce((sum, name) => sum + extra(name), 0)
  return [
    {
      what: 'each letter is once in its Maildir',
      holds: missing.length + twice.length === 0,
      figures: `${names.length} posted, ${missing.length} missing${some(missing)}, ${twice.length} twice${some(twice)}`,
    },
    {
      what: 'by SMTP at most once more for each answer that was lost, and told',
      holds: unsent.length + untold.length === 0,
      figures: `${relayed.length} relayed, ${unsent.length} missing${some(unsent)}, ${copies} more copies, of which not told: ${untold.length}${some(untold)}`,
    },
  ]
}

function intervals({ polls, intervalMs, endMs, short }: Seen): readonly Verdict[] {
  let again = 0
  const gaps = [...polls].map(([name, all]) => {
    // A poll whose end could not be recorded, for the machine or the database was gone, is made again at once: both count as one.
    const times = all.filter((time, at) => at === 0 || time - (all[at - 1] ?? 0) >= intervalMs / 2)
    again += all.length - times.length
    const between = times.slice(1).map((time, at) => time - (times[at] ?? 0))
    // The last one is still open.
    const longestMs = Math.max(0, ...between, endMs - (times.at(-1) ?? 0))
    const meanMs = between.reduce((sum, gap) => sum + gap, 0) / between.length
    return { name, between, longestMs, meanMs }
  })
  const all = gaps.flatMap(({ between }) => between)
  const meanMs = all.reduce((sum, gap) => sum + gap, 0) / all.length
  const isOff = (ms: number): boolean => Math.abs(ms - intervalMs) > 0.1 * intervalMs
  const off = gaps.filter((each) => isOff(each.meanMs))
  const limitMs = 1.1 * intervalMs + 30_000
  const late = gaps.filter(({ longestMs }) => longestMs > limitMs)
  const sorted = all.toSorted((a, b) => a - b)
  const at = (share: number): string => seconds(sorted[Math.floor(share * (sorted.length - 1))] ?? 0)
  return [
    {
      what: 'accounts are polled at their interval, within a tenth on average',
      holds: !isOff(meanMs) && (short || off.length === 0),
      figures: `${all.length} waits, mean ${seconds(meanMs)} for ${seconds(intervalMs)}; half below ${at(0.5)}, 99 % below ${at(0.99)}; accounts beyond a tenth: ${off.length}${some(off.map(({ name, meanMs: own }) => `${name} ${seconds(own)}`))}`,
    },
    {
      what: 'hardly any poll is made again, because its end was not recorded',
      holds: again <= MADE_AGAIN * all.length,
      figures: `${again} of ${all.length}`,
    },
    {
      what: 'never later than 1.1 intervals and 30 s',
      holds: late.length === 0,
      figures: `limit ${seconds(limitMs)}, longest ${seconds(Math.max(...gaps.map(({ longestMs }) => longestMs)))}${some(late.map(({ name, longestMs }) => `${name} ${seconds(longestMs)}`))}`,
    },
  ]
}

function failOver({ failOvers }: Seen): readonly Verdict[] {
  return [...failOvers].map(([what, ms]) => ({
    what: `others take over within 30 s: ${what}`,
    holds: ms <= FAIL_OVER_MS,
    figures: seconds(ms),
  }))
}

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`
}

function some(names: readonly string[]): string {
  return names.length === 0 ? '' : ` (${names.slice(0, 5).join(', ')}${names.length > 5 ? ', …' : ''})`
}
