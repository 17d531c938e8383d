// Everything that can be on the server or not, in the ledger in one way or another, and at a destination in one way or another; and
// what `verify` makes of each. For each kind of destination that can show what it has.
import { describe, expect, test } from 'vitest'
import type { Ledger, Lease } from '../../src/ledger/ledger.ts'
import type { Verdict } from '../../src/verify/report.ts'
import { Scene } from '../poll/scene.ts'
import { type Fate, FATES, PLACES, type PlaceKind } from './places.ts'

const SERVER = ['listed', 'unlisted'] as const
/** `doubtful`: its delivery ended without an answer. `forgotten`: as `state forget` does. */
const LEDGER = ['delivered', 'open', 'doubtful', 'refused', 'held', 'forgotten'] as const

interface Row {
  readonly server: (typeof SERVER)[number]
  readonly ledger: (typeof LEDGER)[number]
  readonly fate: Fate
  readonly uidl: string
}

const ROWS: readonly Row[] = SERVER.flatMap((server) =>
  LEDGER.flatMap((ledger) => FATES.map((fate) => ({ server, ledger, fate, uidl: `${server}-${ledger}-${fate}` }))),
)

/** In the ledger's words, after a poll has delivered it. */
const RECORD: Readonly<Record<Row['ledger'], (ledger: Ledger, lease: Lease, uidl: string) => Promise<unknown>>> = {
  delivered: () => Promise.resolve(),
  open: again,
  doubtful: async (ledger, lease, uidl) => {
    await again(ledger, lease, uidl)
    await settle(ledger, lease, uidl, 'unknown')
  },
  refused: async (ledger, lease, uidl) => {
    await again(ledger, lease, uidl)
    await settle(ledger, lease, uidl, 'refused')
  },
  held: async (ledger, lease, uidl) => {
    await again(ledger, lease, uidl)
    await ledger.hold(lease, [{ key: { uidl, copy: 0 }, listedBytes: 1, reason: 'too large' }])
  },
  forgotten: (ledger, lease, uidl) => ledger.records.forget(lease, [{ uidl, copy: 0 }], {}),
}

async function again(ledger: Ledger, lease: Lease, uidl: string): Promise<void> {
  await ledger.records.forget(lease, [{ uidl, copy: 0 }], {})
  const deliveries = [{ destination: 'inbox', recipient: '', intent: 'e'.repeat(16) }]
  await ledger.begin(lease, [{ key: { uidl, copy: 0 }, listedBytes: 1, deliveries }])
}

async function settle(ledger: Ledger, lease: Lease, uidl: string, state: 'unknown' | 'refused'): Promise<void> {
  const outcome = { state, error: 'no', retryAfterMs: 0 }
  await ledger.settle(lease, { key: { uidl, copy: 0 }, destination: 'inbox', recipient: '', outcome, received: null })
}

type Count = 'agree' | 'gone' | 'waiting' | 'refused' | 'held' | 'missing' | 'unknown' | 'differ' | 'moved'

/** Where a row is counted. */
function expected({ server, ledger, fate }: Row, digest: boolean, kind: PlaceKind): readonly Count[] {
  const isListed = server === 'listed'
  switch (ledger) {
    case 'open':
    case 'doubtful':
      return ['waiting']
    case 'refused':
    case 'held':
      return [ledger]
    case 'forgotten': {
      const there = fate === 'gone' || fate === 'moved' ? 0 : fate === 'twice' ? 2 : 1
      return [...(isListed ? (['waiting'] as const) : []), ...Array.from({ length: there }, () => 'unknown' as const)]
    }
    case 'delivered': {
      const whole: Count = isListed ? 'agree' : 'gone'
      if (fate === 'gone' || (fate === 'moved' && !kind.findsMoved)) return ['missing']
      // The one that the ledger knows is not there, another one is.
      if (fate === 'second') return ['missing', 'unknown']
      if (fate === 'twice') return [whole, 'unknown']
      if (fate === 'moved') return [whole, 'moved']
      return [fate === 'other' && digest ? 'differ' : whole]
    }
  }
}

const COUNTS: readonly Count[] = [
  'agree',
  'gone',
  'waiting',
  'refused',
  'held',
  'missing',
  'unknown',
  'differ',
  'moved',
]

describe.each(Object.entries(PLACES))('at %s', (_, open) => {
  test('every row is counted where it belongs, and nothing is changed anywhere', async () => {
    await using scene = await Scene.create()
    await using kind = await open()
    kind.set(scene)
    const mailbox = scene.server.mailbox('alice')
    for (const { uidl } of ROWS)
      mailbox.add(`From: a@b.example\r\nSubject: ${uidl}\r\n\r\nbody of ${uidl}\r\n`, { uidl })
    expect((await scene.poll()).delivered).toBe(ROWS.length)
    const unlisted = new Set(mailbox.messages.filter(({ uidl }) => uidl.startsWith('unlisted')))
    mailbox.remove(unlisted)
    for (const { uidl, fate } of ROWS) kind.befall(scene, uidl, fate)
    {
      await using ledger = await scene.ledger()
      await using lease = await ledger.lease(scene.name)
      if (lease === null) throw new Error('somebody polls')
      for (const row of ROWS) await RECORD[row.ledger](ledger, lease, row.uidl)
    }
    const world = async () => [kind.state(scene), await recordsOf(scene), mailbox.messages.map(({ uidl }) => uidl)]
    const before = await world()
    const said = scene.server.journal.commands().length

    for (const digest of [false, true]) {
      const [verdict] = await scene.verify({ digest })
      expect(sums(verdict)).toEqual(wanted(digest, kind))
      expect(named(verdict)).toEqual({
        missing: uidlsWith('missing', digest, kind),
        differ: uidlsWith('differ', digest, kind),
        unknown: ROWS.flatMap((row) => expected(row, digest, kind).filter((count) => count === 'unknown')).length,
      })
      expect(verdict?.error).toBe(null)
      expect(verdict?.unshown).toEqual([])
    }
    expect(await world()).toEqual(before)
    const commands = scene.server.journal
      .commands()
      .slice(said)
      .map((line) => line.split(' ')[0])
    expect(commands.filter((word) => ['RETR', 'TOP', 'DELE'].includes(word ?? ''))).toEqual([])
  })
})

function sums(verdict: Verdict | undefined): object {
  return Object.fromEntries(COUNTS.map((count) => [count, verdict?.[count]]))
}

function wanted(digest: boolean, kind: PlaceKind): object {
  const all = ROWS.flatMap((row) => expected(row, digest, kind))
  return Object.fromEntries(COUNTS.map((count) => [count, all.filter((one) => one === count).length]))
}

function uidlsWith(count: Count, digest: boolean, kind: PlaceKind): readonly string[] {
  return ROWS.filter((row) => expected(row, digest, kind).includes(count))
    .map(({ uidl }) => uidl)
    .toSorted()
}

function named(verdict: Verdict | undefined): object {
  const uidls = (list: readonly { readonly uidl: string }[] = []): readonly string[] =>
    list.map(({ uidl }) => uidl).toSorted()
  const { missing, differ, unknown } = verdict?.lists ?? { missing: [], differ: [], unknown: [] }
  return { missing: uidls(missing), differ: uidls(differ), unknown: unknown.length }
}

async function recordsOf(scene: Scene): Promise<unknown> {
  await using ledger = await scene.ledger()
  return [await ledger.accounts(), await Array.fromAsync(ledger.records.list(scene.name, 'all'))]
}
