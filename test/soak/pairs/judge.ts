// What must be true at the end of a world, whatever its habits were: of the mail, and of what the ledger says of it.
import { openLedger } from '../../../src/ledger/sqlite/open.ts'
import type { MessageRecord } from '../../../src/ledger/records.ts'
import { join } from 'node:path'
import type { Polled } from './drivers.ts'
import type { AccountWorld, World } from './world.ts'

/** With these, an answer may be lost three times in a row: then a message is held (P2). */
const LOSES_ANSWERS = new Set([
  'cut at the dot now and then',
  'silent at the dot of one',
  'some answers lost',
  'killed',
])

const SHORT = 'a body is cut short'

/** What is wrong with the mail. */
export async function judgeMail(world: World, polled: readonly Polled[]): Promise<readonly string[]> {
  const wrong: string[] = []
  const taken = new Map<string, readonly number[]>()
  for (const place of world.places) taken.set(place.name, await place.taken())
  const areShort = world.accounts.some(({ habit }) => habit === SHORT)
  for (const [name, subjects] of taken)
    if (subjects.includes(-1) && !areShort) wrong.push(`${name} has something that is no whole message`)
  await using ledger = await openLedger(join(world.directory, 'state.db'))
  for (const account of world.accounts) {
    const records = new Map<string, MessageRecord>()
    for await (const slice of ledger.records.list(account.name, 'all'))
      for (const record of slice) records.set(record.key.uidl, record)
    const left = new Set(account.mailbox.left)
    for (const subject of account.mailbox.subjects) {
      const uidl = account.mailbox.uidlOf(subject)
      const record = uidl === null ? undefined : records.get(uidl)
      const isHeld = record?.state === 'held' && losesAnswers(world, account)
      // Fetched once more, then believed, reported, and kept on the server (P108).
      if (account.habit === SHORT && account.mailbox.chosen === subject) continue
      const isBad = world.isBadFor(account, subject) || isHeld
      const what = `${account.name}: message ${subject}`
      if (isBad) wrong.push(...judgeBad(what, { account, subject, record, isLeft: left.has(subject), polled }))
      else if (left.has(subject))
        wrong.push(`${what} is still on the server: ${record?.state}, ${record?.reason ?? 'no reason'}`)
      wrong.push(...judgeCopies(what, { world, account, subject, isBad, taken }))
    }
  }
  return wrong
}

function losesAnswers({ habits }: World, { route }: AccountWorld): boolean {
  return route.places.some(({ name }) => LOSES_ANSWERS.has(habits.get(name) ?? ''))
}

interface BadOne {
  readonly account: AccountWorld
  readonly subject: number
  readonly record: MessageRecord | undefined
  readonly isLeft: boolean
  readonly polled: readonly Polled[]
}

/** Kept, and named. */
function judgeBad(what: string, { account, subject, record, isLeft, polled }: BadOne): readonly string[] {
  if (!isLeft) return [`bad ${what} is gone from the server`]
  const wrong: string[] = []
  if ((record?.reason ?? record?.deliveries.find(({ error }) => error !== null)?.error ?? null) === null)
    wrong.push(`the ledger has no reason for bad ${what}`)
  const problems = polled.flatMap(({ report }) => (report.account === account.name ? report.problems : []))
  const about = problems.filter(({ uidl }) => uidl.endsWith(`uid-${subject}`))
  if (about.length === 0) wrong.push(`no report names bad ${what}`)
  const isKnown = !account.mailbox.poisonous.has(subject) && !account.tooLarge.has(subject)
  if (isKnown && !about.some((problem) => problem.subject === `letter ${subject}`))
    wrong.push(`no report names bad ${what} with its subject`)
  for (const kind of ['refused', 'held'] as const) {
    const times = about.filter((problem) => problem.kind === kind).length
    if (times > 1 && kind === 'held') wrong.push(`bad ${what} was reported ${times} times as ${kind}`)
  }
  return wrong
}

interface Copies {
  readonly world: World
  readonly account: AccountWorld
  readonly subject: number
  readonly isBad: boolean
  readonly taken: ReadonlyMap<string, readonly number[]>
}

function judgeCopies(what: string, { account, subject, isBad, taken }: Copies): readonly string[] {
  const { kind, places } = account.route
  const times = places.map((place) => ({
    place,
    came: (taken.get(place.name) ?? []).filter((one) => one === subject).length,
    extra: place.extra(subject),
  }))
  if (kind === 'first-of') {
    const came = times.reduce((sum, each) => sum + each.came, 0)
    const most = 1 + times.reduce((sum, { extra }) => sum + extra, 0)
    if (came > most || (came < 1 && !isBad)) return [`${what} came ${came} times to one of several, at most ${most}`]
    return []
  }
  return times.flatMap(({ place, came, extra }) =>
    came > 1 + extra || (came < 1 && !isBad)
      ? [`${what} came ${came} times to ${place.name}, at most ${1 + extra}`]
      : [],
  )
}

/** Is there nothing more to come? */
export function isSettled(world: World): boolean {
  return world.accounts.every((account) => account.mailbox.left.every((subject) => world.isBadFor(account, subject)))
}
