// Servers with one habit of each kind. Two together did harm where each alone was tested: so they are combined, and judged alike.
// `SEED=N` tries another third of the combinations, `SEED=all` all of them.
import { expect, test } from 'vitest'
import { allHabits, DELETIONS, type Habits, HabitualServer, TOPS } from './habits.ts'
import { Scene } from './scene.ts'

/** As many as a window of three messages and deletions that come late need. */
const MOST_POLLS = 12
/** Where nothing can go. */
const FEW_POLLS = 3
/** Of the combinations with the same TOP and the same deletion. */
const TRIED = 4

const SEED = process.env['SEED'] ?? '1'

function chosen(): readonly Habits[] {
  const all = [...allHabits()]
  if (SEED === 'all') return all
  let state = Number(SEED) >>> 0
  const random = (): number => (state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0)
  return TOPS.flatMap((top) =>
    DELETIONS.flatMap((deletion) =>
      all
        .filter((habits) => habits.top === top && habits.deletion === deletion)
        .map((habits) => ({ habits, rank: random() }))
        .sort((a, b) => a.rank - b.rank)
        .slice(0, TRIED)
        .map(({ habits }) => habits),
    ),
  )
}

test.each(chosen())(
  `each message comes once, and goes or is counted (seed ${SEED}): TOP $top, deletion $deletion, window $window, EXPIRE $expire, header $header (P134, P158, P161–P163)`,
  async (habits) => {
    await using scene = await Scene.create()
    const server = new HabitualServer(scene, habits)
    server.fill(6)
    await server.poll()
    scene.account = ['delete: after-delivery']
    server.fill(2)
    const most = server.lets ? MOST_POLLS : FEW_POLLS
    let last = await server.poll()
    for (let polls = 1; polls < most && server.left().length > 0; polls++) last = await server.poll()
    expect(scene.subjects()).toEqual([...server.shown].map((uidl) => Number(uidl.slice(4))).sort((a, b) => a - b))
    if (server.lets) {
      expect(server.left()).toEqual([])
      expect(await server.poll()).toMatchObject({ outcome: 'ok', undeleted: 0 })
      expect(await scene.undeleted()).toEqual([])
    } else {
      const pending = await scene.undeleted()
      // In the order in which they came: large headers come behind the others.
      expect(pending.toSorted()).toEqual([...server.shownLast].toSorted())
      expect(last.undeleted).toBe(pending.length)
    }
  },
)
