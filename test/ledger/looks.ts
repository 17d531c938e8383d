// What looks into a ledger that an older popfetch has written, before this one has polled. It has one account "a", which failed three
// times, with a message "x" that waits for the destination "d", which said "no", and a message "y" that was delivered.
import type { Ledger } from '../../src/ledger/ledger.ts'
import { key } from './scene.ts'

/** Everything that looks, and what it says of a ledger in which nothing newer stands. */
export const LOOKS: Readonly<Record<string, readonly [look: (ledger: Ledger) => unknown, expected: unknown]>> = {
  account: [async (ledger) => (await ledger.account('a'))?.failures, 3],
  accounts: [async (ledger) => (await ledger.accounts()).map(({ name }) => name), ['a']],
  known: [
    async (ledger) => (await ledger.known('a', [key('x'), key('y')])).map((known) => known?.state),
    ['open', 'delivered'],
  ],
  destinations: [(ledger) => ledger.destinations(), []],
  destination: [async (ledger) => (await ledger.destination('k', '')).rest, null],
  memo: [(ledger) => ledger.memo('daemon'), null],
  pauses: [(ledger) => ledger.pauses.all(), []],
  list: [
    async ({ records }) => {
      const found = await Array.fromAsync(records.list('a', 'all'))
      return found
        .flat()
        .map(({ key: { uidl }, from, deletion, deliveries }) => [uidl, from, deletion, deliveries.length])
    },
    [
      ['x', null, null, 1],
      ['y', null, null, 0],
    ],
  ],
  find: [async ({ records }) => (await records.find('a', 'x')).map(({ deliveries }) => deliveries[0]?.error), ['no']],
  unsettled: [
    async ({ records }) => (await records.unsettled()).get('a'),
    { waiting: 1, refused: 0, held: 0, undeleted: 0 },
  ],
  outstanding: [async ({ records }) => (await records.outstanding({ ofAccount: 5, inAll: 5 })).get('a')?.length, 1],
  days: [async ({ records }) => (await records.days(30)).size, 0],
  undeleted: [({ records }) => records.undeleted('a'), 0],
  owners: [async ({ records }) => (await records.owners(['a'], ['x', 'z'])).get('a'), 1],
}
