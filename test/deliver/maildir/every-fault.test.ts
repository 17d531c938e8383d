// Whatever goes wrong with whichever call, for whichever message of three batches: the table is made, not written. Each row is played in
// three ways: message by message, in volleys, and in volleys that another thread works on, of which the next is begun before the one
// before has its names, as the lane does it. In each way what is told is so, nothing counts before it is durable, and in the end each
// message is there once. By default a part of the table; POPFETCH_TABLE=all plays all of it.
import { existsSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Attempt, Destination, Receipt } from '../../../src/deliver/destination.ts'
import { expectedHands, expectHands } from '../../../src/deliver/disk/hands.ts'
import { Reserve } from '../../../src/deliver/disk/reserve.ts'
import { openMaildir } from '../../../src/deliver/maildir/maildir.ts'
import { fileName } from '../../../src/deliver/maildir/name.ts'
import { DeliveryError } from '../../../src/errors.ts'
import { type Mishap, type RiggedCall, RiggedFiles } from '../../support/rigged-files.ts'
import { attempt, message, never, NOW_MS, stoppedClock } from '../scene.ts'

const IN_BATCH = 4
const BATCHES = 3
const ERRNOS = ['EIO', 'ENOSPC', 'EDQUOT', 'EACCES', 'EROFS', 'EMFILE', 'ENOENT', 'EEXIST', 'ESTALE'] as const
const WAYS = ['one by one', 'here', 'apart'] as const
type Way = (typeof WAYS)[number]
type Outcome = Receipt | DeliveryError

const held = { requireHeld: () => {} }
const BODIES = Array.from({ length: IN_BATCH * BATCHES }, (_, at) =>
  Buffer.from(`From: Ada <ada@example.org>\r\nSubject: letter ${at}\r\n\r\nthe text of ${at}\r\n`),
)
const EXPECTED = BODIES.map((body) => body.toString().replaceAll('\r\n', '\n'))

/** `round`: each try has an intent of its own. */
function attemptOf(at: number, round: number): Attempt {
  const intent = (round * 100 + at + 1).toString(16).padStart(16, '0')
  return { ...attempt(`uid-${at}`), intent }
}

function nameOf(at: number): string {
  return fileName(attemptOf(at, 0), 'laptop', NOW_MS)
}

const base = mkdtempSync(path.join(tmpdir(), 'popfetch-table-'))
let rigged: RiggedFiles
beforeAll(async () => {
  await expectedHands()?.[Symbol.asyncDispose]()
  rigged = new RiggedFiles()
})
afterAll(async () => {
  await expectedHands()?.[Symbol.asyncDispose]()
  rigged[Symbol.dispose]()
  rmSync(base, { recursive: true, force: true })
})

/** What an act may change. */
interface Stage {
  readonly root: string
  readonly stop: AbortController
  readonly clock: ReturnType<typeof stoppedClock>
}

let scenes = 0

async function opened(root: string): Promise<Destination> {
  const maildir = openMaildir(
    { path: root, create: true, lineEndings: 'lf', mode: 0o600, date: 'received', description: 'maildir ~/Mail' },
    { hostName: 'laptop', nowMs: () => NOW_MS, prefix: () => '', reserve: new Reserve() },
  )
  await maildir.ready(never)
  return maildir
}

async function oneByOne(maildir: Destination, batch: number, signal: AbortSignal): Promise<readonly Outcome[]> {
  return await Promise.all(
    rowsOf(batch).map(async (at) => {
      const tried = attemptOf(at, 0)
      const outcome = await maildir
        .deliver(tried, message(BODIES[at]!, tried.origin), signal)
        .catch((error: unknown) => error as DeliveryError)
      if (!(outcome instanceof Error)) rigged.note(`counts ${nameOf(at)}`)
      return outcome
    }),
  )
}

function rowsOf(batch: number): readonly number[] {
  return Array.from({ length: IN_BATCH }, (_, at) => batch * IN_BATCH + at)
}

async function together(
  maildir: Destination,
  batch: number,
  way: Way,
  signal: AbortSignal,
): Promise<readonly Outcome[]> {
  const rows = rowsOf(batch)
  const bodies = Buffer.concat(rows.map((at) => BODIES[at]!))
  const memory = way === 'apart' ? Buffer.from(new SharedArrayBuffer(bodies.length)) : bodies
  bodies.copy(memory)
  const volley = maildir.volleys!()!.volley(memory)
  let from = 0
  for (const at of rows) {
    const to = from + BODIES[at]!.length
    volley.add(attemptOf(at, 0), memory.subarray(from, to), null)
    from = to
  }
  const outcomes = await volley.deliver(held, signal)
  for (const [row, outcome] of outcomes.entries())
    if (!(outcome instanceof Error)) rigged.note(`counts ${nameOf(rows[row]!)}`)
  return outcomes
}

/** All batches; in volleys apart the next one is delivered while the one before still is. */
async function delivered(maildir: Destination, way: Way, signal: AbortSignal): Promise<readonly Outcome[]> {
  const outcomes: Outcome[] = []
  if (way !== 'apart') {
    for (let batch = 0; batch < BATCHES; batch++)
      outcomes.push(
        ...(way === 'here' ? await together(maildir, batch, way, signal) : await oneByOne(maildir, batch, signal)),
      )
    return outcomes
  }
  const first = together(maildir, 0, way, signal)
  const second = together(maildir, 1, way, signal)
  outcomes.push(...(await first))
  const third = together(maildir, 2, way, signal)
  outcomes.push(...(await second), ...(await third))
  return outcomes
}

interface Told {
  readonly verdict: string
  readonly scope: string
  readonly conclusion: string
  readonly text: string
}

function told(outcome: Outcome, root: string): Told | 'delivered' {
  if (!(outcome instanceof DeliveryError)) return 'delivered'
  const { verdict, scope, conclusion } = outcome
  return { verdict, scope, conclusion, text: outcome.message.replaceAll(root, '') }
}

/** What counted before it was on the disk. */
function early(journal: readonly string[], root: string): readonly string[] {
  const folder = `${root}/new`
  return journal.flatMap((line, at) => {
    if (!line.startsWith('counts ')) return []
    const tmp = `${root}/tmp/${line.slice('counts '.length)}`
    const before = journal.slice(0, at)
    const written = before.lastIndexOf(`write ${tmp}`)
    const synced = before.indexOf(`fsync ${tmp}`, written)
    const closed = before.indexOf(`close ${tmp}`, written)
    const linked = before.indexOf(`link ${tmp}`, Math.max(synced, closed))
    const begun = before.indexOf(`syncs ${folder}`, linked)
    const durable = before.indexOf(`fsync ${folder}`, begun)
    const isOrdered = [written, synced, closed, linked, begun, durable].every((step) => step >= 0)
    return isOrdered
      ? []
      : [
          `${line}: written ${written}, synced ${synced}, closed ${closed}, linked ${linked}, new/ ${begun} to ${durable}, of ${at}`,
        ]
  })
}

function filesIn(root: string, folder: string): readonly string[] {
  return existsSync(`${root}/${folder}`) ? readdirSync(`${root}/${folder}`) : []
}

interface Result {
  readonly told: readonly (Told | 'delivered')[]
  readonly left: readonly string[]
  readonly faults: readonly string[]
  readonly isMet: boolean
}

async function play(mishap: Omit<Mishap, 'root'>, way: Way, act: (stage: Stage) => void = () => {}): Promise<Result> {
  const root = path.join(base, `m${++scenes}`)
  const stop = new AbortController()
  using clock = stoppedClock()
  rigged.plan(null)
  if (way === 'apart') await expectHands()
  const maildir = await opened(root)
  const before = new Set<string>()
  const of = mishap.ofFolder && mishap.call !== 'answer' ? `${root}/${mishap.of}` : mishap.of
  const ofRoot = { ...mishap, root: mishap.call === 'answer' ? '' : root, of }
  rigged.plan(ofRoot, () => {
    for (const name of filesIn(root, 'new')) before.add(name.replace(/,S=.*/, ''))
    act({ root, stop, clock })
  })
  const outcomes = await delivered(maildir, way, stop.signal)
  const { isMet, journal } = rigged
  const faults = [...early(journal, root)]
  await maildir[Symbol.asyncDispose]()
  const left = filesIn(root, 'tmp')
  const there = filesIn(root, 'new')
  const says = outcomes.map((outcome) => told(outcome, root))
  for (const [at, outcome] of outcomes.entries()) {
    const isThere = there.some((name) => name.startsWith(nameOf(at)))
    const verdict = outcome instanceof DeliveryError ? outcome.verdict : 'delivered'
    if (outcome instanceof Error && !(outcome instanceof DeliveryError)) faults.push(`${at}: ${String(outcome)}`)
    if (verdict === 'delivered' && !isThere && !before.has(nameOf(at)))
      faults.push(`${at} counts as delivered, and is not there`)
    if (verdict === 'temporary' && isThere) faults.push(`${at} counts as not delivered, and is there`)
  }
  rigged.plan(null)
  faults.push(...(await settled(root, outcomes, before)))
  const stays = mishap.call === 'unlink' && mishap.how !== 'acts' ? [] : filesIn(root, 'tmp')
  if (stays.length > 0) faults.push(`in tmp/ there are ${stays.length} in the end`)
  rmSync(root, { recursive: true, force: true })
  return { told: says, left, faults, isMet }
}

/** The next poll, when all is well again: in doubt it looks, and what is not there it delivers anew. */
async function settled(
  root: string,
  outcomes: readonly Outcome[],
  before: ReadonlySet<string>,
): Promise<readonly string[]> {
  await using maildir = await opened(root)
  for (const [at, outcome] of outcomes.entries()) {
    if (!(outcome instanceof DeliveryError)) continue
    if (outcome.verdict === 'unknown' && (await maildir.recall(attemptOf(at, 0), never)) !== null) continue
    const tried = attemptOf(at, 1)
    await maildir.deliver(tried, message(BODIES[at]!, tried.origin), never)
  }
  const texts = filesIn(root, 'new').map((name) => readFileSync(`${root}/new/${name}`, 'utf8'))
  const numberOf = (text: string): number => Number(/letter (\d+)/.exec(text)?.[1])
  texts.sort((a, b) => numberOf(a) - numberOf(b))
  // What had counted before somebody removed it may be gone.
  const due = EXPECTED.filter((text, at) => !before.has(nameOf(at)) || texts.includes(text))
  return JSON.stringify(texts) === JSON.stringify(due)
    ? []
    : [`in the end there are ${texts.map((text) => numberOf(text)).join(' ')}`]
}

interface Point {
  readonly call: RiggedCall
  /** `new`: the folder, which is opened, synced and closed behind each batch. */
  readonly of: 'tmp' | 'new'
}

/** A point of the table: a call, and for which message or behind which batch it is made. */
interface Cell extends Point {
  readonly place: number
}

/** First, middle and last of each batch. */
const PLACES = [0, 1, 2].flatMap((batch) => [0, 1, IN_BATCH - 1].map((at) => batch * IN_BATCH + at))

function cellsOf({ call, of }: Point): readonly Cell[] {
  return (of === 'new' ? [0, 1, 2] : PLACES).map((place) => ({ call, of, place }))
}

function aimedAt({ call, of, place }: Cell): Pick<Mishap, 'call' | 'of' | 'ofFolder' | 'skip'> {
  return of === 'new'
    ? { call, of: 'new', ofFolder: true, skip: place }
    : { call, of: `/tmp/${nameOf(place)}`, ofFolder: false, skip: 0 }
}

function named({ call, of, place }: Cell): string {
  return of === 'new' ? `${call} of new/ behind batch ${place}` : `${call} of message ${place}`
}

/** Where something may happen. */
const POINTS: readonly Point[] = [
  ...(['open', 'write', 'fsync', 'close', 'link', 'unlink'] as const).map((call) => ({ call, of: 'tmp' as const })),
  ...(['open', 'fsync', 'close'] as const).map((call) => ({ call, of: 'new' as const })),
]
const FAILURES: readonly (Point & { readonly how: Mishap['how'] })[] = [
  ...POINTS.map((point) => ({ ...point, how: 'fails' as const })),
  { call: 'write', of: 'tmp', how: 'short' },
  { call: 'link', of: 'tmp', how: 'made' },
  { call: 'unlink', of: 'tmp', how: 'made' },
]

/** All of them, or every `step`-th. */
function part<T>(all: readonly T[], step: number): readonly T[] {
  return process.env['POPFETCH_TABLE'] === 'all' ? all : all.filter((_, at) => at % step === 0)
}

describe('whatever call fails, each is told as it is, and the same in each way', () => {
  test.each(FAILURES)('$call of $of ($how)', async ({ call, of, how }) => {
    const rows = cellsOf({ call, of }).flatMap((cell) =>
      [false, true].flatMap((forGood) => ERRNOS.map((errno) => ({ cell, forGood, errno }))),
    )
    const found: string[] = []
    for (const { cell, forGood, errno } of part(rows, 13)) {
      // It speaks of a path, of which these know none.
      if (errno === 'ENOENT' && (call === 'fsync' || call === 'close')) continue
      const what = `${named(cell)} ${how} with ${errno}${forGood ? ' for good' : ''}`
      const results = new Map<Way, Result>()
      for (const way of WAYS) {
        const result = await play({ ...aimedAt(cell), how, errno, forGood }, way)
        results.set(way, result)
        found.push(...result.faults.map((fault) => `${what}, ${way}: ${fault}`))
      }
      // For good, it depends on what the batches before are at when it begins.
      const from = forGood ? (of === 'new' ? cell.place + 2 : Math.floor(cell.place / IN_BATCH)) * IN_BATCH : 0
      for (const [one, other] of [
        ['one by one', 'here'],
        ['here', 'apart'],
      ] as const) {
        const [a, b] = [one, other].map((way) => results.get(way)!.told.slice(from))
        for (const [at, each] of a!.entries()) {
          const that = b![at]!
          // In volleys a link that fails is tried again.
          if (call === 'link' && one === 'one by one' && that === 'delivered') continue
          if (JSON.stringify(each) !== JSON.stringify(that))
            found.push(
              `${what}: message ${from + at}: ${one} ${JSON.stringify(each)}, ${other} ${JSON.stringify(that)}`,
            )
        }
      }
    }
    expect(found.join('\n')).toBe('')
  })
})

describe('whatever happens just before a call, no message is lost, and none comes twice', () => {
  const acts: Readonly<Record<string, (stage: Stage) => void>> = {
    'it is stopped': ({ stop }) => stop.abort(new Error('stopped')),
    'the time is over': ({ clock }) => clock.pass(120_001),
    'the other thread is ended': () => void expectedHands()?.[Symbol.asyncDispose](),
    'somebody removes tmp/': ({ root }) => rmSync(`${root}/tmp`, { recursive: true }),
    'somebody removes new/': ({ root }) => rmSync(`${root}/new`, { recursive: true }),
    'somebody removes the Maildir': ({ root }) => rmSync(root, { recursive: true }),
    'somebody empties tmp/': ({ root }) => {
      for (const name of filesIn(root, 'tmp')) rmSync(`${root}/tmp/${name}`)
    },
  }
  const happens = { how: 'acts', errno: '', forGood: false } as const

  test.each(Object.entries(acts))('%s', async (what, act) => {
    const found: string[] = []
    for (const cell of part(POINTS.flatMap(cellsOf), 4))
      for (const way of WAYS) {
        const { faults, isMet, left } = await play({ ...aimedAt(cell), ...happens }, way, act)
        if (!isMet) found.push(`${named(cell)}, ${way}: it was not made`)
        // Where the thread is gone, the next poll takes back what is in doubt.
        if (left.length > 0 && what !== 'the other thread is ended')
          found.push(`${named(cell)}, ${way}: it leaves ${left.length} in tmp/`)
        found.push(...faults.map((fault) => `${named(cell)}, ${way}: ${fault}`))
      }
    expect(found.join('\n')).toBe('')
  })

  test('the other thread ends by itself', async () => {
    const found: string[] = []
    for (const cell of part(POINTS.filter(({ of }) => of === 'tmp').flatMap(cellsOf), 2)) {
      const { faults, isMet } = await play({ ...aimedAt(cell), ...happens, how: 'ends' }, 'apart')
      if (!isMet) found.push(`${named(cell)}: it was not made`)
      found.push(...faults.map((fault) => `${named(cell)}: ${fault}`))
    }
    expect(found.join('\n')).toBe('')
  })

  test('the other thread cannot answer', async () => {
    const found: string[] = []
    for (const skip of [0, 1, 2, 3, 4, 5]) {
      const aim = { call: 'answer', of: 'answer', ofFolder: true, skip } as const
      const { faults, isMet } = await play({ ...aim, how: 'fails', errno: '', forGood: false }, 'apart')
      if (!isMet) found.push(`${skip}: there was no such answer`)
      found.push(...faults.map((fault) => `answer ${skip}: ${fault}`))
    }
    expect(found.join('\n')).toBe('')
  })

  test.each(WAYS)('new/ that is gone fails for all, a file that is gone from tmp/ for itself: %s', async (way) => {
    const cell = { call: 'link', of: 'tmp', place: IN_BATCH } as const
    const scopesOf = ({ told: all }: Result): readonly string[] =>
      all.map((each) => (each === 'delivered' ? each : `${each.verdict}, ${each.scope}`))
    const file = await play({ ...aimedAt(cell), ...happens }, way, ({ root }) =>
      rmSync(`${root}/tmp/${nameOf(IN_BATCH)}`),
    )
    expect(scopesOf(file)).toEqual(BODIES.map((_, at) => (at === IN_BATCH ? 'temporary, message' : 'delivered')))
    const folder = await play({ ...aimedAt(cell), ...happens }, way, ({ root }) =>
      renameSync(`${root}/new`, `${root}/away`),
    )
    expect(scopesOf(folder).slice(IN_BATCH)).toEqual(Array(IN_BATCH * 2).fill('temporary, destination'))
  })
})
