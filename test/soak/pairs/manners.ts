// Was any destination asked more often than DESIGN 5 allows? Judged by what its server saw alone: when it was asked, and what it
// answered. The numbers are those of the contract, written once more.
import type { Driver } from './drivers.ts'
import { type Asked, type SinkWorld, UNWANTED } from './sinks.ts'
import type { MailboxWorld } from './mailboxes.ts'
import type { World } from './world.ts'

const MINUTE_MS = 60_000
const HOUR_MS = 60 * MINUTE_MS
/** Steps of a poll in which a peer is silent take time. */
const SLACK_MS = 1000
/** Connections at once (the default), and one more after ten refusals. */
const MOST_CONNECTIONS = 6
/** After a rest one message, with our own sender as well, and a probe of it. */
const MOST_TRIES_ALONE = 3

interface Round {
  readonly round: number
  readonly asked: readonly Asked[]
}

export function judgeManners(world: World, { polled }: Driver): readonly string[] {
  const polls = Math.max(1, world.accounts.length)
  const wrong = world.places.flatMap(({ name, sink }) => (sink === null ? [] : judgeSink(name, sink, world, polls)))
  if (polled.length === 0) wrong.push('nothing was polled')
  return [...wrong, ...judgeRetrievals(world)]
}

function judgeSink(name: string, sink: SinkWorld, world: World, accounts: number): readonly string[] {
  const diary = sink.diary.filter(isToBeJudged(name, world))
  const rounds = [...Map.groupBy(diary, ({ poll }) => poll)].map(([round, asked]) => ({ round, asked }))
  const wrong: string[] = []
  for (const { round, asked } of rounds) {
    const connections = asked.filter(({ step }) => step === 'connect').length
    if (connections > MOST_CONNECTIONS * accounts) wrong.push(`${name}, round ${round}: ${connections} connections`)
  }
  return [...wrong, ...judgeRests(name, rounds), ...judgeLooks(name, rounds, world.mode === 'daemon')]
}

/** In a first-of that has a next one, a recipient that is refused for good goes on to it and opens no rest (D133). To the other
 *  accounts of the same server it does. Then it is not to be told which of the two it was. */
function isToBeJudged(name: string, world: World): (asked: Asked) => boolean {
  const isFirst = world.accounts.some(({ route: { kind, places } }) => kind === 'first-of' && places[0]?.name === name)
  return ({ step, answer }) => !(isFirst && step === 'rcpt' && typeof answer === 'string' && answer.startsWith('5'))
}

/** The destination (or its only recipient) is left alone: 15 min doubling to 4 h, or as long as it asks. */
function judgeRests(name: string, rounds: readonly Round[]): readonly string[] {
  const wrong: string[] = []
  let row = 0
  let freeMs = 0
  for (const { round, asked } of rounds) {
    const [first] = asked
    if (first === undefined) continue
    const at = `${name}, round ${round}`
    if (first.atMs + SLACK_MS < freeMs)
      wrong.push(`${at}: asked ${minutes(freeMs - first.atMs)} too early, trouble ${row}`)
    const refused = asked.filter(
      ({ class: kind, answer, step }) => kind === 'rests' && answer !== null && step !== 'dot',
    )
    const atDot = asked.filter(({ class: kind, answer, step }) => kind === 'rests' && answer !== null && step === 'dot')
    const last = [...refused, ...atDot].at(-1)
    if (last === undefined || asked.some(({ step, answer }) => step === 'dot' && answer === null)) {
      row = 0
      freeMs = 0
      continue
    }
    // A message that is refused for its own sake says nothing of the destination: another one is offered then.
    const own = asked.filter(({ answer }) => answer === UNWANTED)
    const tries = asked.filter(({ step }) => step === 'mail').length - own.length
    const connections = asked.filter(({ step }) => step === 'connect').length
    if (row > 0 && tries > MOST_TRIES_ALONE) wrong.push(`${at}: ${tries} tries after a rest, trouble ${row}`)
    if (row > 0 && connections > 2) wrong.push(`${at}: ${connections} connections after a rest, trouble ${row}`)
    // Its answers to what was on the way are one trouble.
    freeMs = first.atMs + (last.pauseMs > 0 ? last.pauseMs : Math.min(15 * MINUTE_MS * 2 ** row, 4 * HOUR_MS))
    row++
  }
  return wrong
}

/** What is away or refuses the sign-in: once a poll for all accounts; by the daemon ever more rarely. */
function judgeLooks(name: string, rounds: readonly Round[], isDaemon: boolean): readonly string[] {
  const wrong: string[] = []
  let row = 0
  let freeMs = 0
  for (const { round, asked } of rounds) {
    const kind = asked[0]?.class
    if (kind !== 'down' && kind !== 'sign-in') {
      row = 0
      freeMs = 0
      continue
    }
    const looks = asked.filter(({ step }) => step === 'connect')
    const [first] = looks
    if (first === undefined) continue
    // Another account waits 30 s for what one finds out, and no longer (P4).
    const again = looks.find(({ atMs }, at) => at > 0 && atMs - (looks[at - 1]?.atMs ?? 0) < 30_000)
    if (again !== undefined) wrong.push(`${name}, round ${round}: ${looks.length} looks at what is ${kind}`)
    if (first.atMs + SLACK_MS < freeMs)
      wrong.push(`${name}, round ${round}: ${kind}, asked ${minutes(freeMs - first.atMs)} too early, trouble ${row}`)
    const downMs = isDaemon ? Math.min(MINUTE_MS * 2 ** row, HOUR_MS) : 0
    const signMs = row < 2 ? 0 : Math.min(15 * MINUTE_MS * 2 ** (row - 2), 24 * HOUR_MS)
    freeMs = first.atMs + (kind === 'down' ? downMs : signMs)
    row++
  }
  return wrong
}

/** No message is downloaded again and again for a destination that will not take it. */
function judgeRetrievals(world: World): readonly string[] {
  const wrong: string[] = []
  for (const { name, mailbox, route, habit } of world.accounts) {
    if (habit !== 'well') continue
    wrong.push(...judgeDownloads(name, mailbox))
    const { kind, places } = route
    const isAlone = world.accounts.every(
      (other) => other.name === name || !other.route.places.some((place) => places.includes(place)),
    )
    const sinks = places.flatMap(({ sink }) => sink ?? [])
    if (!isAlone || sinks.length < places.length || (kind === 'all' && sinks.length > 1)) continue
    // Of several, the first is asked, or passed by where the message has waited for a day.
    const busy = new Set(sinks.flatMap(({ diary }) => diary.map(({ poll }) => poll)))
    for (const [round, all] of Map.groupBy(mailbox.retrieved, ({ poll }) => poll)) {
      const good = all.filter(({ subject }) => !mailbox.poisonous.has(subject)).length
      if (good > 0 && !busy.has(round))
        wrong.push(`${name}, round ${round}: ${good} RETR while its destination was not asked`)
    }
  }
  return wrong
}

/** Due at the next poll, then after 5 min doubling to 4 h. At most this often in a day, even if it is tried alone after each
 *  rest. */
const MOST_DOWNLOADS = 14

function judgeDownloads(name: string, { retrieved, poisonous }: MailboxWorld): readonly string[] {
  const wrong: string[] = []
  for (const [subject, times] of Map.groupBy(retrieved, ({ subject }) => subject)) {
    if (poisonous.has(subject)) continue
    const tooOften = times.find(({ atMs }, at) => {
      const before = times[at - MOST_DOWNLOADS]
      return before !== undefined && atMs - before.atMs < 24 * HOUR_MS
    })
    if (tooOften !== undefined)
      wrong.push(
        `${name}, round ${tooOften.poll}: message ${subject} was downloaded more than ${MOST_DOWNLOADS} times in a day`,
      )
  }
  return wrong
}

function minutes(ms: number): string {
  return `${Math.round(ms / MINUTE_MS)} min`
}
