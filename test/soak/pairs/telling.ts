// Is every trouble told once and daily, and its end once? Judged by the lines that a person may read (standard error of cron, the
// log) beside what was really amiss. Two sides: nothing is told again and again, and nothing goes on in silence.
import type { Driver, Polled, Said } from './drivers.ts'
import type { World } from './world.ts'

const HOUR_MS = 3_600_000
/** A reminder comes after a day; cron may be some seconds early. */
const REMINDER_MS = 23 * HOUR_MS
/** The time between two polls may lie on top. */
const SILENCE_MS = (24 + 27) * HOUR_MS

interface Heard {
  readonly said: readonly Said[]
  readonly polled: readonly Polled[]
}

export function judgeTelling(world: World, driver: Driver): readonly string[] {
  const { said, polled } = driver
  return [
    ...(world.mode === 'cron' ? judgeLines(world, said, polled) : judgeJournal(world, said, polled)),
    ...judgeRepetition(said, polled),
    ...judgeRests(world, said),
    ...judgeSilence(world, said, polled),
    ...judgeMessages(said, polled),
  ]
}

/** What is amiss with an account, as the exit code has it; null: nothing is. */
function stateOf({ report }: Polled): string | null {
  const { outcome, error, deferred } = report
  if (outcome === 'ok' || outcome === 'busy') return null
  if (error !== null) return nameOf(error)
  return deferred > 0 ? 'deferred' : null
}

/** A network that is down gives different errors at different times: all of them are one trouble. */
const NETWORK = new Set(['ERR_CONNECT', 'ERR_TIMEOUT', 'ERR_POP3_REPLY'])

function nameOf({ exit, code }: { readonly exit?: number; readonly code: string }): string {
  if (NETWORK.has(code)) return 'network'
  return exit === undefined ? code : `exit ${exit}`
}

/** All that is amiss in a poll, also of destinations beside what ended it. */
function statesOf(poll: Polled): readonly string[] {
  const { deferredThemselves, troubles } = poll.report
  const state = stateOf(poll)
  const own = deferredThemselves > 0 ? ['deferred'] : []
  return state === null ? [] : [...new Set([state, ...own, ...troubles.map(({ error }) => nameOf(error))])]
}

/** Cron: what is amiss with an account is a line when it begins. */
function judgeLines(world: World, said: readonly Said[], polled: readonly Polled[]): readonly string[] {
  const wrong: string[] = []
  for (const { name } of world.accounts) {
    const known = new Set<string>()
    for (const poll of polled.filter(({ report }) => report.account === name)) {
      const states = statesOf(poll)
      // One that only waits for its time says nothing.
      if (states.length === 0 && poll.report.outcome !== 'paused') known.clear()
      const news = states.filter((state) => !known.has(state))
      for (const state of states) known.add(state)
      const isTold = said.some(
        ({ round, where, text }) =>
          round === poll.round && where === 'stderr' && text.startsWith(`popfetch: ${name}: `),
      )
      if (news.length > 0 && !isTold)
        wrong.push(`${name}, round ${poll.round}: ${news.join(', ')} begins and is not told`)
    }
  }
  for (const { round, where, text } of said)
    if (where === 'stderr' && !text.startsWith('popfetch: ')) wrong.push(`round ${round}: a line of its own: ${text}`)
  return wrong
}

/** Same words again, but for numbers, within a day and with nothing ended between. */
function judgeRepetition(said: readonly Said[], polled: readonly Polled[]): readonly string[] {
  const wrong = new Map<string, string>()
  const last = new Map<string, Said>()
  const begun = new Map<string, number>()
  for (const each of said) {
    const { where, level, text, facts, round, atMs } = each
    if (level !== 'warn' && level !== 'error') continue
    const { account = '', uidl = '', destination = '', kind = '' } = facts
    const name = JSON.stringify([where, account, uidl, destination, kind, text.replaceAll(/(?<!uid-)(?<!\d)\d+/g, 'N')])
    const before = last.get(name)
    last.set(name, each)
    // The reminder is the account's: a message that came behind its beginning may be told twice in a day.
    const isReminder = kind === 'deferred' && before !== undefined && begun.get(name) === before.round
    if (before === undefined) begun.set(name, round)
    if (isReminder || before === undefined || before.round === round || atMs - before.atMs >= REMINDER_MS) continue
    const isAnew = kind === 'refused' && wasLeftAlone(said, before.round, round)
    if (isAnew || wasChanged(each, before, { said, polled })) continue
    wrong.set(
      name,
      `round ${round}: told again after ${Math.round((atMs - before.atMs) / 60_000)} min, ${where}: ${text.slice(0, 200)} ${JSON.stringify(facts)}`,
    )
  }
  return [...wrong.values()]
}

/** Was something between two equal lines: the trouble ended, or was another one? */
function wasChanged(now: Said, before: Said, { said, polled }: Heard): boolean {
  const account = accountOf(now)
  const isBetween = ({ round }: { readonly round: number }): boolean => round > before.round && round < now.round
  if (account === null)
    return said.some(
      (each) =>
        each.round >= before.round &&
        each.round <= now.round &&
        each !== now &&
        each !== before &&
        each.facts['destination'] === now.facts['destination'],
    )
  const own = polled.filter((poll) => poll.report.account === account)
  const state = own.filter(({ round }) => round === before.round).map(stateOf)[0]
  return (
    own.some((poll) => isBetween(poll) && stateOf(poll) !== state && poll.report.outcome !== 'paused') ||
    own.filter(({ round }) => round === now.round).map(stateOf)[0] !== state
  )
}

function accountOf({ facts, text, where }: Said): string | null {
  const { account } = facts
  if (typeof account === 'string') return account
  return where === 'stderr' ? (/^popfetch: ([^:]+): /.exec(text)?.[1] ?? null) : null
}

/** A destination that is left alone: its end is told once, and only after its beginning. */
function judgeRests(world: World, said: readonly Said[]): readonly string[] {
  // What is only asked after another one is not asked any more when that one is well.
  const asked = new Set(
    world.accounts.flatMap(({ route: { kind, places } }) =>
      (kind === 'all' ? places : places.slice(0, 1)).map((place) => place.name),
    ),
  )
  const wrong: string[] = []
  const open = new Map<string, Said>()
  for (const each of said) {
    const { where, text, facts, round } = each
    if (where !== 'log') continue
    // Further names of it come behind the first.
    const destination = String(facts['destination'] ?? '').split(', ')[0] ?? ''
    const name = JSON.stringify([destination, facts['recipient']])
    if (!asked.has(destination)) continue
    if (text.startsWith('a destination is paused')) open.set(name, each)
    else if (text === 'the destination accepts mail again' && !open.delete(name))
      wrong.push(`round ${round}: the end of a trouble that was not told: ${name}`)
  }
  for (const [name, { round, text }] of open)
    wrong.push(`the end of this trouble was not told: ${name}, round ${round}: ${text.slice(0, 200)}`)
  return wrong
}

/** The daemon: an account that fails is told, and when it works again. */
function judgeJournal(world: World, said: readonly Said[], polled: readonly Polled[]): readonly string[] {
  const wrong: string[] = []
  for (const { name } of world.accounts) {
    let isOpen = false
    for (const { text, level, facts, round } of said.filter(({ facts: { account } }) => account === name)) {
      if (
        level === 'error' &&
        text !== 'no success for a long time' &&
        text !== 'mail has been waiting for a long time'
      )
        isOpen = true
      if (text !== 'works again') continue
      if (!isOpen)
        wrong.push(`${name}, round ${round}: works again, which was not told to fail: ${JSON.stringify(facts)}`)
      isOpen = false
    }
    const last = polled.findLast(({ report }) => report.account === name)
    if (isOpen && last !== undefined && last.report.error === null)
      wrong.push(`${name}: that it works again was not told`)
  }
  return wrong
}

/** Nothing that keeps good mail waiting goes on for two days without a word. */
function judgeSilence(world: World, said: readonly Said[], polled: readonly Polled[]): readonly string[] {
  const wrong: string[] = []
  for (const { name, route } of world.accounts) {
    let sinceMs: number | null = null
    for (const { report, atMs, round } of polled) {
      if (report.account !== name) continue
      const words = said.filter((each) => each.round === round && (each.level === 'warn' || each.level === 'error'))
      const places = new Set<unknown>(route.places.map((place) => place.name))
      const isTold = words.some((each) => accountOf(each) === name || places.has(each.facts['destination']))
      const isAmiss = report.deferred > 0 || report.undeleted > 0 || report.error !== null
      if (!isAmiss || isTold) sinceMs = null
      else if (sinceMs === null) sinceMs = atMs
      else if (atMs - sinceMs > SILENCE_MS) {
        wrong.push(
          `${name}, round ${round}: amiss and not told for ${Math.round((atMs - sinceMs) / HOUR_MS)} h: ${JSON.stringify(report).slice(0, 300)}`,
        )
        sinceMs = atMs
      }
    }
  }
  return wrong
}

/** A message becomes refused once, held once; a possible duplicate is told once for each. */
function judgeMessages(said: readonly Said[], polled: readonly Polled[]): readonly string[] {
  const wrong: string[] = []
  const told = new Map<string, number>()
  for (const { report, round } of polled) {
    for (const { uidl, kind, destination = '', recipient = '' } of report.problems) {
      if (kind !== 'refused' && kind !== 'held') continue
      const name = JSON.stringify([report.account, uidl, kind, destination, recipient])
      const before = told.get(name)
      // A destination that was left alone takes back what it refused: that is then refused again.
      const isAnew = wasLeftAlone(said, before ?? 0, round)
      if (before !== undefined && !isAnew) wrong.push(`round ${round}: ${name} was reported in round ${before} already`)
      told.set(name, round)
    }
    if (report.outcome === 'ok' && report.error !== null)
      wrong.push(`round ${round}: ok, and an error: ${JSON.stringify(report)}`)
    if (report.outcome === 'failed' && report.error === null)
      wrong.push(`round ${round}: failed, and no error: ${JSON.stringify(report)}`)
  }
  return wrong
}

function wasLeftAlone(said: readonly Said[], after: number, until: number): boolean {
  return said.some(({ text, round }) => text.startsWith('a destination is paused') && round >= after && round <= until)
}
