// How processes share the work: which accounts are due, who may take one, how many at once at a server, and who is at work.
import { describe, expect, test } from 'vitest'
import type { Claim, Claimed, Ledger, Lease } from '../../../src/ledger/ledger.ts'
import { freshLedger, type Kind, processAt } from '../kind.ts'
import { leaseOf } from '../scene.ts'

/** A wait of five minutes that a test need not wait for. */
const LONG_MS = 300_000
const WITHIN_MS = 24 * 3_600_000

const ANYWAY: Claim = { uses: [], dueWithinMs: null }
const DUE: Claim = { uses: [], dueWithinMs: WITHIN_MS }

async function scheduled(ledger: Ledger, account: string, delayMs: number | null): Promise<void> {
  await using lease = await leaseOf(ledger, account)
  await ledger.schedule(lease, delayMs)
}

function leased(claimed: Claimed): Lease {
  if (claimed.lease === null) throw new Error(`not leased: ${claimed.why}`)
  return claimed.lease
}

function why(claimed: Claimed): string {
  return claimed.lease === null ? claimed.why : 'leased'
}

export function scheduling(kind: Kind): void {
  describe('an account that is claimed because it is due', () => {
    test('is given from its time on, and before it the claim says how long that is', async () => {
      let nowMs = 1_000_000
      const ledger = await (await kind.place()).open({ nowMs: () => nowMs })
      await scheduled(ledger, 'a', 500)
      expect(await ledger.claim('a', DUE)).toEqual({ lease: null, why: 'early', dueInMs: 500 })
      nowMs += 499
      expect(await ledger.claim('a', DUE)).toEqual({ lease: null, why: 'early', dueInMs: 1 })
      nowMs += 1
      const claimed = await ledger.claim('a', DUE)
      expect(claimed).toMatchObject({ lease: { account: 'a', record: { name: 'a' } }, woken: false })
    })

    test.each([
      [
        'that nobody has scheduled',
        async (ledger: Ledger) => await (await leaseOf(ledger, 'a'))[Symbol.asyncDispose](),
      ],
      ['that is not known', async () => {}],
      ['of which nobody plans the polls any more', (ledger: Ledger) => scheduled(ledger, 'a', null)],
      [
        'that was given back without a new time',
        async (ledger: Ledger) => {
          await scheduled(ledger, 'a', 0)
          await leased(await ledger.claim('a', DUE))[Symbol.asyncDispose]()
        },
      ],
    ])('is due: one %s', async (_, prepare) => {
      let nowMs = 1_000_000
      const ledger = await (await kind.place()).open({ nowMs: () => nowMs })
      await prepare(ledger)
      nowMs += 5
      expect(why(await ledger.claim('a', DUE))).toBe('leased')
    })

    test('is due as well where its time is further away than anybody plans: the clock was set (S030)', async () => {
      const ledger = await freshLedger(kind)
      await scheduled(ledger, 'a', LONG_MS)
      expect(why(await ledger.claim('a', { uses: [], dueWithinMs: LONG_MS + 1000 }))).toBe('early')
      expect(why(await ledger.claim('a', { uses: [], dueWithinMs: LONG_MS - 60_000 }))).toBe('leased')
    })

    test('is claimed by one of those who want it, and then due at its new time for all', async () => {
      const place = await kind.place()
      const [one, two] = [await place.open(), await place.open()]
      await scheduled(one, 'a', null)
      const claims = await Promise.all([one, two, one, two].map((ledger) => ledger.claim('a', DUE)))
      expect(claims.map(why).toSorted()).toEqual(['held', 'held', 'held', 'leased'])
      for (const { lease } of claims) {
        if (lease === null) continue
        await (claims[0]?.lease === null && claims[2]?.lease === null ? two : one).schedule(lease, LONG_MS)
        await lease[Symbol.asyncDispose]()
      }
      expect((await Promise.all([one, two].map((ledger) => ledger.claim('a', DUE)))).map(why)).toEqual([
        'early',
        'early',
      ])
    })

    test('is given whether it is due or not to whoever does not ask for that', async () => {
      const ledger = await freshLedger(kind)
      await scheduled(ledger, 'a', LONG_MS)
      expect(why(await ledger.claim('a', ANYWAY))).toBe('leased')
      expect(why(await ledger.claim('a', ANYWAY))).toBe('held')
    })
  })

  describe('a wake', () => {
    test('makes an account due, and is answered by one claim', async () => {
      const ledger = await freshLedger(kind)
      await scheduled(ledger, 'a', LONG_MS)
      await ledger.wake(['a', 'unknown'])
      const claimed = await ledger.claim('a', DUE)
      expect(claimed).toMatchObject({ woken: true })
      await leased(claimed)[Symbol.asyncDispose]()
      expect(await ledger.claim('a', DUE)).toMatchObject({ woken: false })
    })

    test('that comes while the account is polled outlasts the end of that poll', async () => {
      const place = await kind.place()
      const [one, two] = [await place.open(), await place.open()]
      await scheduled(one, 'a', null)
      const lease = leased(await one.claim('a', DUE))
      await two.wake(['a'])
      await one.schedule(lease, LONG_MS)
      await lease[Symbol.asyncDispose]()
      expect(await two.claim('a', DUE)).toMatchObject({ woken: true })
    })

    test('is not answered by whoever only holds the account', async () => {
      const ledger = await freshLedger(kind)
      await scheduled(ledger, 'a', LONG_MS)
      await ledger.wake(['a'])
      await (await ledger.lease('a'))?.[Symbol.asyncDispose]()
      expect(await ledger.claim('a', DUE)).toMatchObject({ woken: true })
    })

    test('is heard by other processes, until somebody answers it', async () => {
      const place = await kind.place()
      const [one, two] = [await place.open(), await place.open()]
      await scheduled(one, 'a', LONG_MS)
      await scheduled(one, 'b', LONG_MS)
      const heard = Promise.withResolvers<readonly string[]>()
      using _ = two.heed(heard.resolve)
      await one.wake(['a'])
      expect(await heard.promise).toEqual(['a'])
    })

    test('is not heard any more by whoever does not listen', async () => {
      const place = await kind.place()
      const [one, two] = [await place.open(), await place.open()]
      await scheduled(one, 'a', LONG_MS)
      const wrong: unknown[] = []
      two.heed((woken) => wrong.push(woken))[Symbol.dispose]()
      const heard = Promise.withResolvers<unknown>()
      using _ = two.heed(heard.resolve)
      await one.wake(['a'])
      await heard.promise
      expect(wrong).toEqual([])
    })
  })

  describe('what all processes together may use', () => {
    const using = (...uses: Claim['uses']): Claim => ({ uses, dueWithinMs: null })
    const server = { key: 'host pop.example.net', most: 2 }

    test('is shared by as many as may, in whichever process they are', async () => {
      const place = await kind.place()
      const [one, two] = [await place.open(), await place.open()]
      const a = leased(await one.claim('a', using(server)))
      leased(await two.claim('b', using(server)))
      expect((await Promise.all([one, two].map((ledger) => ledger.claim('c', using(server))))).map(why)).toEqual([
        'crowded',
        'crowded',
      ])
      expect(why(await two.claim('d', using({ key: 'host pop.example.org', most: 1 })))).toBe('leased')
      await a[Symbol.asyncDispose]()
      expect(why(await two.claim('c', using(server)))).toBe('leased')
      expect(why(await one.claim('e', using(server)))).toBe('crowded')
    })

    test('is not exceeded by any who ask at once', async () => {
      const place = await kind.place()
      const ledgers = [await place.open(), await place.open(), await place.open()]
      const claims = await Promise.all(
        Array.from({ length: 30 }, (_, at) => (ledgers[at % 3] ?? ledgers[0]!).claim(`account-${at}`, using(server))),
      )
      expect(claims.filter(({ lease }) => lease !== null)).toHaveLength(2)
      expect(new Set(claims.map(why))).toEqual(new Set(['leased', 'crowded']))
    })

    test('is taken whole or not at all', async () => {
      const ledger = await freshLedger(kind)
      const mailbox = { key: 'mailbox a', most: 1 }
      leased(await ledger.claim('a', using(mailbox)))
      expect(why(await ledger.claim('b', using(server, mailbox)))).toBe('crowded')
      expect(why(await ledger.claim('c', using(server)))).toBe('leased')
      expect(why(await ledger.claim('d', using(server)))).toBe('leased')
      // Nor is the account itself.
      expect(why(await ledger.claim('b', ANYWAY))).toBe('leased')
    })

    test('goes by the limit of whoever asks, also where others had a higher one', async () => {
      const ledger = await freshLedger(kind)
      for (const name of ['a', 'b', 'c']) leased(await ledger.claim(name, using({ ...server, most: 3 })))
      expect(why(await ledger.claim('d', using(server)))).toBe('crowded')
      expect(why(await ledger.claim('d', using({ ...server, most: 4 })))).toBe('leased')
    })

    test('is free again when the process that had it dies', async () => {
      const place = await kind.place()
      const ledger = await place.open()
      const other = processAt(kind, place, 'holder.ts')
      await other.line()
      for (const name of ['a', 'b']) {
        other.process.stdin?.write(`use ${name} 2\n`)
        expect(await other.line()).toBe(`${name} yes`)
      }
      const shares = using({ key: 'holder', most: 2 })
      expect(why(await ledger.claim('c', shares))).toBe('crowded')
      other.process.kill('SIGKILL')
      await new Promise((resolve) => other.process.once('exit', resolve))
      await expect.poll(async () => why(await ledger.claim('c', shares)), { timeout: 40_000 }).toBe('leased')
      expect(why(await ledger.claim('d', shares))).toBe('leased')
      expect(why(await ledger.claim('e', shares))).toBe('crowded')
    })
  })

  describe('workers', () => {
    const card = { machine: 'kiste', version: '1.2.3' }

    test('are the living processes that joined, with what they have, until they leave', async () => {
      const place = await kind.place()
      const [one, two] = [await place.open(), await place.open()]
      expect(await one.workers()).toEqual([])
      await one.join(card)
      await two.join({ machine: 'turm', version: '1.2.4' })
      await one.lease('b')
      await one.lease('a')
      await one.claim('c', { uses: [{ key: 'k', most: 1 }], dueWithinMs: null })
      const workers = await two.workers()
      expect(workers.map(({ machine, version, holds }) => [machine, version, holds])).toEqual([
        ['kiste', '1.2.3', ['a', 'b', 'c']],
        ['turm', '1.2.4', []],
      ])
      expect(new Set(workers.map(({ name }) => name)).size).toBe(2)
      for (const { sinceMs, lastSeenMs } of workers) expect(lastSeenMs).toBeGreaterThanOrEqual(sinceMs ?? Infinity)
      await one[Symbol.asyncDispose]()
      expect((await two.workers()).map(({ machine }) => machine)).toEqual(['turm'])
    })

    test('that present themselves again are still one, since they came first', async () => {
      const ledger = await freshLedger(kind)
      await ledger.join(card)
      const [before] = await ledger.workers()
      await ledger.join({ ...card, version: '2.0.0' })
      expect(await ledger.workers()).toMatchObject([{ name: before?.name, sinceMs: before?.sinceMs, version: '2.0.0' }])
    })

    test('with leases are told though they did not join, and not once they are dead', async () => {
      const place = await kind.place()
      const ledger = await place.open()
      const other = processAt(kind, place, 'holder.ts')
      await other.line()
      for (const line of ['take b', 'take a']) {
        other.process.stdin?.write(`${line}\n`)
        await other.line()
      }
      expect(await ledger.workers()).toMatchObject([{ holds: ['a', 'b'], sinceMs: null }])
      other.process.stdin?.write('join kiste\n')
      await other.line()
      expect(await ledger.workers()).toMatchObject([
        { holds: ['a', 'b'], machine: 'kiste', sinceMs: expect.any(Number) },
      ])
      other.process.kill('SIGKILL')
      await new Promise((resolve) => other.process.once('exit', resolve))
      await expect.poll(() => ledger.workers(), { timeout: 40_000 }).toEqual([])
    })
  })
}
