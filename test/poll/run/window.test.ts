import { setImmediate as turn } from 'node:timers/promises'
import { describe, expect, test } from 'vitest'
import { MemoryBudget, Window } from '../../../src/poll/run/window.ts'

/** Takes these bytes from the budget, now or later: now? */
async function isTaken(budget: MemoryBudget, bytes: number): Promise<boolean> {
  let taken = false
  void budget.take(bytes).then(() => (taken = true))
  await turn()
  return taken
}

describe('the memory budget', () => {
  test('gives at once while there is room and lets the next wait in the order of asking', async () => {
    const budget = new MemoryBudget(100)
    const order: string[] = []
    expect(await isTaken(budget, 60)).toBe(true)
    const big = budget.take(60).then(() => order.push('big'))
    const small = budget.take(10).then(() => order.push('small'))
    await turn()
    expect(order).toEqual([])
    budget.give(60)
    await Promise.all([big, small])
    expect(order).toEqual(['big', 'small'])
  })
})

describe('what is lent', () => {
  test('leaves half of all to others, and is free again when it is given back', async () => {
    const budget = new MemoryBudget(100)
    expect([budget.lend(30), budget.lend(20), budget.lend(1)]).toEqual([true, true, false])
    budget.give(20)
    expect([budget.lend(21), budget.lend(20)]).toEqual([false, true])
    expect(await isTaken(budget, 50)).toBe(true)
  })
})

describe('a message that is larger than announced', () => {
  test('takes what comes beyond from the budget, and waits where there is no more', async () => {
    const budget = new MemoryBudget(1000)
    const overdrawn = await new Window(budget).enter(500)
    const other = await new Window(budget).enter(400)
    expect(overdrawn.received(550)).toBeUndefined()
    expect(await isTaken(budget, 100)).toBe(false)
    // One may have more than there is: somebody has to come to an end.
    expect(overdrawn.received(700)).toBeUndefined()
    expect(overdrawn.received(900)).toBeUndefined()
    let more = false
    const waiting = other.received(500)?.then(() => (more = true))
    await turn()
    expect(more).toBe(false)
    overdrawn.leave()
    await waiting
  })

  test('goes before what is yet to be asked for', async () => {
    const budget = new MemoryBudget(1000)
    const order: string[] = []
    const shares = await Promise.all([500, 250, 250].map((bytes) => new Window(budget).enter(bytes)))
    const asked = budget.take(10).then(() => order.push('asked for'))
    void shares[0]?.received(600)
    const grown = shares[1]?.received(300)?.then(() => order.push('grown'))
    shares[0]?.leave()
    await Promise.all([asked, grown])
    expect(order).toEqual(['grown', 'asked for'])
  })

  test('that comes in parts waits once for all of them', async () => {
    const budget = new MemoryBudget(1000)
    const overdrawn = await new Window(budget).enter(1000)
    const [first, second] = await Promise.all([new Window(budget).enter(0), new Window(budget).enter(0)])
    void overdrawn.received(1100)
    const parts = [first.received(100), second.received(900), first.received(300)]
    expect(parts[2]).toBe(parts[0])
    overdrawn.leave()
    for (const part of parts) await part
  })

  test('stops waiting for room when it is given up, and gives back only what it had', async () => {
    const budget = new MemoryBudget(1000)
    const overdrawn = await new Window(budget).enter(1000)
    const cut = await new Window(budget).enter(0)
    void overdrawn.received(1001)
    const waiting = cut.received(600)
    cut.leave()
    await waiting
    overdrawn.leave()
    expect(await isTaken(budget, 1000)).toBe(true)
    expect(await isTaken(budget, 1)).toBe(false)
  })

  test('gives back what was announced and did not come', async () => {
    const budget = new MemoryBudget(1000)
    const share = await new Window(budget).enter(1000)
    void share.received(10)
    share.ended(10)
    expect(await isTaken(budget, 990)).toBe(true)
    share.leave()
    expect(await isTaken(budget, 10)).toBe(true)
    expect(await isTaken(budget, 1)).toBe(false)
  })

  test('holds no more than the budget and one message, however many accounts are lied to, and all come to an end', async () => {
    const budget = new MemoryBudget(8 << 20)
    let held = 0
    let most = 0
    let ended = 0
    const account = async (): Promise<void> => {
      const window = new Window(budget)
      const shares = await Promise.all(Array.from({ length: 20 }, () => window.enter(100)))
      for (const share of shares) {
        let bytes = 0
        // What is in the buffers of the socket is not counted: it is bounded by itself.
        for (let chunk = 0; chunk < 15; chunk++) {
          await share.received(bytes + 65_536)
          bytes += 65_536
          held += 65_536
          most = Math.max(most, held)
        }
        // Its delivery takes a while, and the next one comes meanwhile.
        void turn().then(() => {
          held -= bytes
          ended++
          share.leave()
        })
      }
    }
    await Promise.all(Array.from({ length: 100 }, account))
    await turn()
    expect(ended).toBe(2000)
    expect(most).toBeGreaterThan(7 << 20)
    expect(most).toBeLessThanOrEqual(9 << 20)
    expect(await isTaken(budget, 8 << 20)).toBe(true)
  })
})

describe('the window of an account', () => {
  test('lets 100 messages be under way, and next ones when sixteen are done, which are asked for together', async () => {
    const window = new Window(new MemoryBudget(1 << 30))
    const shares = await Promise.all(Array.from({ length: 100 }, () => window.enter(100)))
    let entered = false
    const next = Promise.resolve(window.enter(100)).then(() => (entered = true))
    await turn()
    expect(entered).toBe(false)
    for (const share of shares.slice(0, 15)) share.leave()
    await turn()
    expect(entered).toBe(false)
    shares[15]?.leave()
    await next
  })

  test('lets a next one in when the only one that may be under way is done', async () => {
    const window = new Window(new MemoryBudget(1 << 30))
    const only = await window.enter(100, 1)
    const next = Promise.resolve(window.enter(100, 1))
    only.leave()
    await next
  })

  test('lets a message in where more may be under way to its place than to others', async () => {
    const window = new Window(new MemoryBudget(1 << 30))
    const shares = await Promise.all(Array.from({ length: 100 }, () => window.enter(100)))
    const more = await Promise.all(Array.from({ length: 300 }, () => window.enter(100, 400)))
    let entered = false
    const next = Promise.resolve(window.enter(100)).then(() => (entered = true))
    for (const share of more) share.leave()
    await turn()
    expect(entered).toBe(false)
    for (const share of shares.slice(0, 16)) share.leave()
    await next
  })

  test('counts a large message as what it may hold in memory, so that one of 2 GB still comes in', async () => {
    const budget = new MemoryBudget(1 << 20)
    const share = await new Window(budget).enter(2 ** 31)
    expect(await isTaken(budget, 1)).toBe(false)
    share.leave()
  })

  test('several accounts share the bytes', async () => {
    const budget = new MemoryBudget(1000)
    const share = await new Window(budget).enter(1000)
    let entered = false
    const other = Promise.resolve(new Window(budget).enter(1)).then(() => (entered = true))
    await turn()
    expect(entered).toBe(false)
    share.leave()
    await other
  })
})
