// What was lost × where mail goes × what limits a poll × where it is killed × what happens meanwhile (HAZARDS G5). A second kill, a
// mail program that renames, a UID that is used again (S039), a clock that was wrong and is right (S040). The world and its
// judge are in recovery-world.ts.
import { describe, test } from 'vitest'
import { type Case, type Killed, KILLERS, type Meanwhile, NOTHING_ELSE, RecoveryWorld } from './recovery-world.ts'
import { RECOVERY_STEP, SEED } from './sizes.ts'

const LOST = ['ledger', 'older copy', 'UIDs'] as const
const LIMITS = ['none', 'limit: 3', 'first: new'] as const
const DESTINATIONS: readonly (readonly string[])[] = [
  ['inbox'],
  ['box'],
  ['inbox', 'relay'],
  ['inbox', 'program'],
  ['inbox', 'copy'],
]

/** All of them, or a share that has each value of each column. */
function chosen<T>(cases: readonly T[]): T[] {
  return cases.filter((_, at) => (at + SEED) % RECOVERY_STEP === 0)
}

async function mended(asked: Case, meanwhile: Partial<Meanwhile> = {}): Promise<void> {
  await using world = await RecoveryWorld.create()
  await world.run(asked, { ...NOTHING_ELSE, ...meanwhile })
}

const CASES = LOST.flatMap((lost) =>
  DESTINATIONS.flatMap((names) =>
    LIMITS.flatMap((limit) =>
      (Object.keys(KILLERS) as Killed[]).map((killed) => ({ lost, names, limit, killed, deletion: 'after-delivery' })),
    ),
  ),
) satisfies Case[]

test.each(chosen(CASES))('$lost lost, to $names, $limit, killed $killed', async (asked) => {
  await mended(asked)
})

/** What goes on while the record is mended. */
const MEANWHILE: Readonly<Record<string, Partial<Meanwhile>>> = {
  'it is killed a second time': { kills: 1 },
  'a mail program reads and renames': { before: (world) => world.rename() },
  'both happen': { kills: 1, before: (world) => world.rename() },
  'UIDs are used again': { arrive: (world) => world.mailUnderUsedUids() },
  'UIDs are used again, and it is killed a second time': { kills: 1, arrive: (world) => world.mailUnderUsedUids() },
  'UIDs are used again, and a mail program renames': {
    arrive: (world) => world.mailUnderUsedUids(),
    before: (world) => world.rename(),
  },
}

/** Where nothing is taken over, the first delivery is cut off. */
const killedIn = (lost: Case['lost']): Killed =>
  lost === 'nothing' || lost === 'UIDs moved on' ? 'before it is recorded' : 'half way'

const SECOND = (['nothing', 'UIDs moved on', ...LOST] as const).flatMap((lost) =>
  DESTINATIONS.flatMap((names) =>
    LIMITS.flatMap((limit) =>
      Object.entries(MEANWHILE).map(([what, meanwhile]) => ({ lost, names, limit, what, meanwhile })),
    ),
  ),
)

test.each(chosen(SECOND))('$lost lost, to $names, $limit, killed half way; then $what', async (asked) => {
  await mended({ ...asked, killed: killedIn(asked.lost), deletion: 'after-delivery' }, asked.meanwhile)
})

/** Two things at once: one of two destinations is dead while the record is mended. */
const DEAD: Readonly<Record<string, Partial<Meanwhile>>> = {
  'it is killed once': {},
  'it is killed twice': { kills: 1 },
  'it is killed twice, and a mail program renames': { kills: 1, before: (world) => world.rename() },
}

describe('one of two destinations is dead meanwhile', () => {
  const cases = (['nothing', ...LOST] as const).flatMap((lost) =>
    [
      ['inbox', 'relay'],
      ['inbox', 'copy'],
      ['box', 'copy'],
    ].flatMap((names) =>
      (['none', 'limit: 3'] as const).flatMap((limit) =>
        (['after-delivery', 'never'] as const).flatMap((deletion) =>
          Object.entries(DEAD).map(([what, meanwhile]) => ({ lost, names, limit, deletion, what, meanwhile })),
        ),
      ),
    ),
  )

  test.each(chosen(cases))(
    '$lost lost, to $names, $limit, delete: $deletion: $what',
    async ({ meanwhile, ...asked }) => {
      const arrive = (world: RecoveryWorld): void => {
        world.mail(2)
        world.kill()
      }
      await mended(
        { ...asked, killed: killedIn(asked.lost) },
        { ...meanwhile, arrive, after: (world) => world.revive() },
      )
    },
  )
})

describe('a clock that was wrong and is set right (S040)', () => {
  const YEARS = [0, -10, 10] as const
  const CLOCKS = YEARS.flatMap((first) =>
    YEARS.flatMap((second) => YEARS.map((then) => [first, second, then] as const)),
  )
  const WRONG = (['nothing', ...LOST] as const).flatMap((lost) =>
    [['inbox'], ['box'], ['inbox', 'relay']].flatMap((names) =>
      (['after-delivery', '30d'] as const).flatMap((deletion) =>
        CLOCKS.slice(1).map((clock) => ({ lost, names, deletion, clock, years: clock.join(', ') })),
      ),
    ),
  )

  test.each(chosen(WRONG))('wrong by $years years, $lost lost, to $names, delete: $deletion', async (asked) => {
    await mended({ ...asked, limit: 'none', killed: killedIn(asked.lost) }, { clock: asked.clock })
  })
})
