// Which messages need nothing, thousands at a time.
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { freshLedger, type Kind } from '../kind.ts'
import { DONE, beginning, key, leaseOf, settlement } from '../scene.ts'
import type { EntryKey, Ledger, Lease, Settled } from '../../../src/ledger/ledger.ts'

const all: Settled = { seenAfterMs: -Infinity, deliveredAfterMs: -Infinity, deliveredUntilMs: Infinity }

/** After a listing that shows these messages. */
async function listed(ledger: Ledger, lease: Lease, keys: readonly EntryKey[]): Promise<void> {
  await using comparison = ledger.compare(lease.account)
  for (const message of await comparison.known(keys)) if (message !== null) comparison.see(message.position)
  await comparison.gone(lease, { keep: false })
}

async function settledOf(ledger: Ledger, which: Settled, account = 'here', entries = 1000) {
  const found: { uidl: string; listedBytes: number }[] = []
  await using comparison = ledger.compare(account)
  for await (const { position, uidls, listedBytes } of comparison.settled(which, entries)) {
    const names = uidls.toString('latin1').split('\n').slice(0, -1)
    expect([position, listedBytes.length]).toEqual([found.length, names.length])
    names.forEach((uidl, at) => found.push({ uidl, listedBytes: listedBytes[at] ?? 0 }))
  }
  return found
}

export function settled(kind: Kind): void {
  test('of each slice it is told when the first delivered message was first seen', async () => {
    let nowMs = 10
    const ledger = await freshLedger(kind, { nowMs: () => nowMs })
    const lease = await leaseOf(ledger, 'here')
    const firsts = async (): Promise<readonly (number | null)[]> => {
      await using comparison = ledger.compare('here')
      return (await Array.fromAsync(comparison.settled(all, 1000))).map(({ deliveredSinceMs }) => deliveredSinceMs)
    }
    await ledger.see(lease, [{ key: key('seen'), listedBytes: 1 }])
    expect(await firsts()).toEqual([null])
    for (const uidl of ['later', 'last']) {
      nowMs += 10
      await ledger.begin(lease, [beginning(key(uidl))])
      await ledger.settle(lease, settlement(key(uidl), DONE))
    }
    expect(await firsts()).toEqual([20])
  })

  test('what is settled is what known() calls delivered or seen, present and never asked to be deleted', async () => {
    const uidl = fc.constantFrom('a', '\xe4\0"', 'c c', '\0top:1f', 'x'.repeat(2000))
    const step = fc.record({
      what: fc.constantFrom('see', 'deliver', 'begin', 'hold', 'delete', 'gone', 'return'),
      uidl,
      copy: fc.constantFrom(0, 0, 0, 1),
      atMs: fc.nat(9),
    })
    await fc.assert(
      fc.asyncProperty(
        fc.array(step, { maxLength: 30, size: 'max' }),
        fc.nat(5),
        fc.nat(5),
        fc.nat(9),
        async (steps, seenAfterMs, afterMs, untilMs) => {
          let nowMs = 0
          const ledger = await freshLedger(kind, { nowMs: () => nowMs })
          const [lease, other] = [await leaseOf(ledger, 'here'), await leaseOf(ledger, 'other')]
          await ledger.see(other, [{ key: key('a'), listedBytes: 1 }])
          const keys = new Map<string, EntryKey>()
          const order: string[] = []
          for (const { what, uidl: name, copy, atMs } of steps) {
            nowMs = atMs
            const entry = key(name, copy)
            const [before] = await ledger.known('here', [entry])
            keys.delete(`${name} ${copy}`)
            keys.set(`${name} ${copy}`, entry)
            if (what === 'see') await ledger.see(lease, [{ key: entry, listedBytes: null }])
            if (what === 'hold') await ledger.hold(lease, [{ key: entry, listedBytes: 9, reason: 'large' }])
            if (what === 'begin' || what === 'deliver') await ledger.begin(lease, [beginning(entry)])
            if (what === 'deliver') await ledger.settle(lease, settlement(entry, DONE))
            if (what === 'delete' && before !== null) await ledger.deleted(lease, [entry])
            if (what === 'gone')
              await listed(
                ledger,
                lease,
                [...keys.values()].filter((one) => one !== entry),
              )
            if (what === 'return') await ledger.returned(lease, [entry])
            const [after] = await ledger.known('here', [entry])
            if (copy === 0 && before === null && after !== null) {
              // It may have been known before, and forgotten when it was gone.
              if (order.includes(name)) order.splice(order.indexOf(name), 1)
              order.push(name)
            }
          }
          const entries = [...keys.values()]
          const known = await ledger.known('here', entries)
          const expected = entries.flatMap(({ uidl: name, copy }, at) => {
            const message = known[at]
            if (message === null || message === undefined || copy > 0 || name.length > 1024) return []
            const { state, firstSeenMs, goneSinceMs, deletions, listedBytes } = message
            const after = state === 'seen' ? seenAfterMs : state === 'delivered' ? afterMs : Infinity
            if (state === 'delivered' && firstSeenMs > untilMs) return []
            if (firstSeenMs <= after || goneSinceMs !== null || deletions > 0) return []
            return [{ uidl: name, listedBytes: listedBytes ?? -1 }]
          })
          const found = await settledOf(ledger, { seenAfterMs, deliveredAfterMs: afterMs, deliveredUntilMs: untilMs })
          const short = found.filter(({ uidl: name }) => name.length !== 32)
          expect(short).toEqual(expected.toSorted((a, b) => order.indexOf(a.uidl) - order.indexOf(b.uidl)))
          await ledger[Symbol.asyncDispose]()
        },
      ),
      { numRuns: Math.min(25, kind.sequences ?? 25) },
    )
  })

  test('a key with a line end in it, as a hash may have, is left out: it stands between the others', async () => {
    const ledger = await freshLedger(kind)
    const lease = await leaseOf(ledger, 'here')
    const keys = ['a', 'b\nc', 'd'].map((uidl) => ({ key: key(uidl), listedBytes: 7 }))
    await ledger.see(lease, keys)
    expect((await settledOf(ledger, all)).map(({ uidl }) => uidl)).toEqual(['a', 'd'])
  })

  test('all or nothing is given where few are asked for, and all where many are, whatever other accounts have', async () => {
    const ledger = await freshLedger(kind)
    const [lease, large] = [await leaseOf(ledger, 'here'), await leaseOf(ledger, 'large')]
    const many = Array.from({ length: 5000 }, (_, at) => ({ key: key(`m${at}`), listedBytes: null }))
    await ledger.see(large, many)
    await ledger.see(lease, many.slice(0, 10))
    expect([0, 10]).toContain((await settledOf(ledger, all, 'here', 10)).length)
    expect((await settledOf(ledger, all, 'here', 1000)).length).toBe(10)
    expect((await settledOf(ledger, all, 'large', 5000)).map(({ uidl }) => uidl)).toEqual(
      many.map((one) => one.key.uidl),
    )
    expect(await settledOf(ledger, all, 'nobody', 5000)).toEqual([])
  })
}
