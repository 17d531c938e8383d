// What a person paused, as a table: what is paused × who polls × how it ends. Nothing but its end ends it, nobody fails because of
// it, and no mail is lost or comes twice.
import { expect, test } from 'vitest'
import type { Paused } from '../../../src/ledger/ledger.ts'
import { openLedger } from '../../../src/ledger/sqlite/open.ts'
import type { AccountReport, PollOptions } from '../../../src/poll/report.ts'
import { Scene } from '../scene.ts'

const ACCOUNT: Paused = { kind: 'account', name: 'old-isp' }
const INBOX: Paused = { kind: 'destination', name: 'inbox' }
const OTHER: Paused = { kind: 'destination', name: 'other' }
const HOUR_MS = 3_600_000

const PLACES = ['inbox: { type: maildir, path: inbox }', 'other: { type: maildir, path: other }']
const FIRST_OF = '{ first-of: [inbox, other] }'

interface Who {
  readonly what: string
  readonly paused: Paused
  readonly deliver: string
  /** While it lasts: the outcome, and what is in `inbox` and `other`. */
  readonly outcome: AccountReport['outcome']
  readonly inbox: readonly number[]
  readonly other: readonly number[]
  /** At the end, all mail is in inbox; and in other, if it is one of a list. */
  readonly both: boolean
  readonly connects: boolean
}

const BOTH = [0, 1, 2]
const WHO: readonly Who[] = [
  {
    what: 'the account',
    paused: ACCOUNT,
    deliver: 'inbox',
    outcome: 'paused',
    inbox: [],
    other: [],
    both: false,
    connects: false,
  },
  {
    what: 'its destination',
    paused: INBOX,
    deliver: 'inbox',
    outcome: 'paused',
    inbox: [],
    other: [],
    both: false,
    connects: true,
  },
  {
    what: 'the second of a list',
    paused: OTHER,
    deliver: '[inbox, other]',
    outcome: 'paused',
    inbox: BOTH,
    other: [],
    both: true,
    connects: true,
  },
  {
    what: 'the first of a list',
    paused: INBOX,
    deliver: '[inbox, other]',
    outcome: 'paused',
    inbox: [],
    other: BOTH,
    both: true,
    connects: true,
  },
  {
    what: 'the first of a first-of',
    paused: INBOX,
    deliver: FIRST_OF,
    outcome: 'paused',
    inbox: [],
    other: [],
    both: false,
    connects: true,
  },
  {
    what: 'the next of a first-of',
    paused: OTHER,
    deliver: FIRST_OF,
    outcome: 'ok',
    inbox: BOTH,
    other: [],
    both: false,
    connects: true,
  },
]

type Polling = (scene: Scene) => Promise<AccountReport>
const once =
  (options: Partial<PollOptions>): Polling =>
  (scene) =>
    scene.poll(options)
const inBackground =
  (options: Partial<PollOptions>): Polling =>
  async (scene) => {
    await using background = await scene.background()
    return await background.poll(options)
  }

const POLLERS: readonly (readonly [who: string, poll: Polling])[] = [
  ['cron', once({ eager: false })],
  ['a person who names the account', once({ eager: true })],
  ['the daemon', inBackground({})],
  ['the daemon that is woken', inBackground({ eager: true })],
  ['a person at a terminal who says --yes', once({ eager: true, yes: true })],
]

const ENDS: readonly (readonly [how: string, end: (scene: Scene, paused: Paused) => Promise<void>])[] = [
  ['it is resumed', (scene, paused) => inLedger(scene, async (ledger) => void (await ledger.pauses.end([paused])))],
  [
    'its time is over',
    (scene, paused) =>
      inLedger(
        scene,
        async (ledger) => void (await ledger.pauses.begin([paused], 'ada@nas', 2 * HOUR_MS)),
        3 * HOUR_MS,
      ),
  ],
]

/** `agoMs`: by a clock that is so far back. */
async function inLedger(
  scene: Scene,
  act: (ledger: Awaited<ReturnType<typeof openLedger>>) => Promise<void>,
  agoMs = 0,
): Promise<void> {
  await using ledger = await openLedger(scene.path('state/state.db'), { nowMs: () => Date.now() - agoMs })
  await act(ledger)
}

async function sceneOf({ deliver, paused }: Pick<Who, 'deliver' | 'paused'>): Promise<Scene> {
  const scene = await Scene.create()
  scene.destinations = PLACES
  scene.deliver = deliver
  scene.fill(3)
  await inLedger(scene, async (ledger) => void (await ledger.pauses.begin([paused], 'ada@nas', 4 * HOUR_MS)))
  return scene
}

const cases = WHO.flatMap((who) =>
  POLLERS.map(([poller, poll], at) => ({ who, poller, poll, end: ENDS[at % ENDS.length] })),
)

test.each(cases)(
  '$who.what is paused: $poller obeys, also after a restart, until $end.0',
  async ({ who, poll, end }) => {
    await using scene = await sceneOf(who)
    for (let polls = 0; polls < 2; polls++) {
      const report = await poll(scene)
      expect(report).toMatchObject({
        outcome: who.outcome,
        error: null,
        problems: [],
        troubles: [],
      })
      expect([scene.subjects('inbox'), scene.subjects('other')]).toEqual([who.inbox, who.other])
    }
    expect(scene.server.journal.of('connect').length > 0).toBe(who.connects)
    await end?.[1](scene, who.paused)
    expect(await poll(scene)).toMatchObject({ outcome: 'ok', error: null })
    expect([scene.subjects('inbox'), scene.subjects('other')]).toEqual([BOTH, who.both ? BOTH : []])
  },
)

test.each(WHO)('$what is paused: --dry-run says so and asks nothing else', async (who) => {
  await using scene = await sceneOf(who)
  const { outcome, pausedBy = '', plan } = await scene.poll({ dryRun: true })
  if (who.paused === ACCOUNT) {
    expect([outcome, plan]).toEqual(['paused', []])
    expect(pausedBy).toMatch(/^old-isp is paused until \S+ \S+ \S+ \(by ada@nas, [^)]+\): popfetch resume old-isp$/)
    expect(scene.server.journal.of('connect')).toEqual([])
  } else {
    expect(plan.map(({ action }) => action)).toEqual(
      BOTH.map(() => (who.outcome === 'paused' && !who.both ? 'wait' : 'fetch')),
    )
    if (who.both) expect(plan[0]?.destinations).toEqual([who.paused === INBOX ? 'other' : 'inbox'])
  }
  expect([scene.subjects('inbox'), scene.subjects('other')]).toEqual([[], []])
})
