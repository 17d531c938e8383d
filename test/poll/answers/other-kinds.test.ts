// The table of answers for the kinds that are no SMTP server (other-kinds.ts): row × how many messages × alone, in a list, as the first
// of two. Judged by what is reported and marked, by what is asked and downloaded half a minute later, and by what arrives in the
// end. `table.test.ts` does the same for SMTP and LMTP.
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { openLedger } from '../../../src/ledger/sqlite/open.ts'
import { Scene, upTo } from '../scene.ts'
import { KINDS, OTHER_ROWS, type Other } from './other-kinds.ts'

const HOUR = 3_600_000

beforeEach(() => void vi.useFakeTimers({ toFake: ['Date'], now: new Date('2026-11-29T12:00:00Z') }))
afterEach(() => void vi.useRealTimers())

const later = (ms: number): void => void vi.setSystemTime(Date.now() + ms)

const SHAPES = { alone: 'next', 'in a list': '[inbox, next]', 'first of two': '{ first-of: [next, inbox] }' } as const
const CASES = OTHER_ROWS.flatMap((row) =>
  (Object.keys(SHAPES) as (keyof typeof SHAPES)[]).flatMap((shape) =>
    [1, 3].map((count) => ({ ...row, shape, count })),
  ),
)

async function marks(scene: Scene): Promise<readonly string[]> {
  await using ledger = await openLedger(scene.path('state/state.db'))
  const states = new Set<string>()
  for await (const slice of ledger.records.list(scene.name, 'open'))
    for (const { deliveries } of slice)
      for (const { destination, state } of deliveries) if (destination !== 'inbox') states.add(state)
  return [...states]
}

/** All of it, some minutes, with ANSWERS_STEP=1. By default a share with each row, and each shape and count of each kind. */
const STEP = Number(process.env['ANSWERS_STEP'] ?? 6)
const chosen = CASES.filter((_, at) => STEP === 1 || (at + Math.floor(at / 6)) % STEP === 0)

test.each(chosen)('$kind: $what, to $count, $shape', async ({ kind, what, means, exit, afterwards, shape, count }) => {
  await using scene = await Scene.create()
  await using other: Other = await KINDS[kind](scene)
  scene.destinations = [`next: { ${other.keys} }`, 'inbox: { type: maildir, path: inbox }']
  scene.deliver = SHAPES[shape]
  scene.fill(count)
  other.fail(what)
  const poll = () => scene.poll({ eager: false })
  const all = upTo(count)
  const isFirstOf = shape === 'first of two'
  const report = await poll()

  if (shape === 'in a list') expect(scene.subjects()).toEqual(all)
  if (isFirstOf && (means === 'refused' || means === 'form')) {
    expect(report).toMatchObject({ outcome: 'ok', delivered: count, refused: 0, error: null, problems: [] })
    expect(scene.subjects()).toEqual(all)
    return
  }
  if (isFirstOf) expect(scene.subjects()).toEqual([])

  const inARow = means === 'own' ? 3 : means === 'lost' ? 2 : Infinity
  const ofPlace = means === 'place' || means === 'uncertain' || exit === 76 || (!isFirstOf && count >= inARow)
  const isRefused = means === 'refused' || means === 'form'
  if (means !== 'found') {
    const states = await marks(scene)
    expect(states.includes('unknown')).toBe(means === 'lost' || means === 'uncertain')
    expect(states.includes('refused')).toBe(isRefused)
    expect(report).toMatchObject({
      outcome: ofPlace ? 'failed' : 'partial',
      delivered: 0,
      deferred: isRefused ? 0 : count,
      refused: isRefused ? count : 0,
      held: 0,
      error: ofPlace ? { exit } : null,
    })
    // Told once: of the destination, or of each message.
    if (means !== 'lost') {
      expect(report.troubles.map(({ destination }) => destination.split(':')[0])).toEqual(
        ofPlace ? [isFirstOf ? 'first-of' : 'next'] : [],
      )
      expect(report.problems.length).toBe(ofPlace ? 0 : count)
    }

    later(30_000)
    const before = scene.count('RETR')
    const second = await poll()
    if (isRefused) expect(second).toMatchObject({ outcome: 'ok', error: null, refused: 0 })
    else if (ofPlace && means !== 'lost') {
      const outcome = afterwards === 'paused' ? 'paused' : 'failed'
      expect(second).toMatchObject({ outcome, deferred: count, error: { exit } })
      expect(scene.count('RETR') - before).toBeLessThanOrEqual(afterwards === 'tried' ? 1 : 0)
    } else if (means !== 'lost') expect(second).toMatchObject({ outcome: 'partial' })
  }

  other.fail(null)
  let duplicates = 0
  for (let hours = 0; hours < 4; hours++) {
    later(HOUR)
    duplicates += (await poll()).possibleDuplicates
  }
  expect(await poll()).toMatchObject({ outcome: 'ok', deferred: 0, refused: 0, held: 0, error: null })
  if (shape === 'in a list') expect(scene.subjects()).toEqual(all)
  expect([...new Set(other.taken())]).toEqual(all)
  if (means === 'lost' || means === 'uncertain') expect(duplicates).toBeGreaterThanOrEqual(1)
  // Nothing comes twice but for an answer that was lost.
  else expect(other.taken()).toEqual(all)
})
