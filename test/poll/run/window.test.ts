import { setImmediate as turn } from 'node:timers/promises'
import { describe, expect, test } from 'vitest'
import { MemoryBudget, Window } from '../../../src/poll/run/window.ts'

describe('the memory budget', () => {
  test('gives at once while there is room and lets the next wait in the order of asking', async () => {
    const budget = new MemoryBudget(100)
    const order: string[] = []
    expect(budget.take(60)).toBeUndefined()
    const big = budget.take(60)?.then(() => order.push('big'))
    const small = budget.take(10)?.then(() => order.push('small'))
    await turn()
    expect(order).toEqual([])
    budget.give(60)
    await Promise.all([big, small])
    expect(order).toEqual(['big', 'small'])
  })
})

describe('a message that is larger than announced', () => {
  test('takes what comes beyond from the budget, and waits where there is no more', async () => {
    const budget = new MemoryBudget(1000)
    const red = await new Window(budget).enter(500)
    const other = await new Window(budget).enter(400)
    expect(red.received(550)).toBeUndefined()
    expect(budget.take(100)).toBeInstanceOf(Promise)
    // One may have more than there is: somebody has to come to an end.
    expect(red.received(700)).toBeUndefined()
    expect(red.received(900)).toBeUndefined()
    let more = false
    const waiting = other.received(500)?.then(() => (more = true))
    await turn()
    expect(more).toBe(false)
    red.leave()
    await waiting
  })

  test('goes before what is yet to be asked for', async () => {
    const budget = new MemoryBudget(1000)
    const order: string[] = []
    const places = await Promise.all([500, 250, 250].map((bytes) => new Window(budget).enter(bytes)))
    const asked = budget.take(10)?.then(() => order.push('asked for'))
    void places[0]?.received(600)
    const grown = places[1]?.received(300)?.then(() => order.push('grown'))
    places[0]?.leave()
    await Promise.all([asked, grown])
    expect(order).toEqual(['grown', 'asked for'])
  })

  test('that comes in parts waits once for all of them', async () => {
    const budget = new MemoryBudget(1000)
    const red = await new Window(budget).enter(1000)
    const [first, second] = await Promise.all([new Window(budget).enter(0), new Window(budget).enter(0)])
    void red.received(1100)
    const parts = [first.received(100), second.received(900), first.received(300)]
    expect(parts[2]).toBe(parts[0])
    red.leave()
    for (const part of parts) await part
  })

  test('lets go of who waits for it when it is done with, and gives back only what it had', async () => {
    const budget = new MemoryBudget(1000)
    const red = await new Window(budget).enter(1000)
    const cut = await new Window(budget).enter(0)
    void red.received(1001)
    const waiting = cut.received(600)
    cut.leave()
    await waiting
    red.leave()
    expect(budget.take(1000)).toBeUndefined()
    expect(budget.take(1)).toBeInstanceOf(Promise)
  })

  test('gives back what was announced and did not come', async () => {
    const budget = new MemoryBudget(1000)
    const place = await new Window(budget).enter(1000)
    void place.received(10)
    place.ended(10)
    expect(budget.take(990)).toBeUndefined()
    place.leave()
    expect(budget.take(10)).toBeUndefined()
    expect(budget.take(1)).toBeInstanceOf(Promise)
  })

  test('holds no more than the budget and one message, however many accounts are lied to, and all come to an end', async () => {
    const budget = new MemoryBudget(8 << 20)
    let held = 0
    let most = 0
    let ended = 0
    const account = async (): Promise<void> => {
      const window = new Window(budget)
      const places = await Promise.all(Array.from({ length: 20 }, () => window.enter(100)))
      for (const place of places) {
        let bytes = 0
        // What stands in the buffers of the socket is not counted: it is bounded by itself.
        for (let chunk = 0; chunk < 15; chunk++) {
          await place.received(bytes + 65_536)
          bytes += 65_536
          held += 65_536
          most = Math.max(most, held)
        }
        // Its delivery takes a while, and the next one comes meanwhile.
        void turn().then(() => {
          held -= bytes
          ended++
          place.leave()
        })
      }
    }
    await Promise.all(Array.from({ length: 100 }, account))
    await turn()
    expect(ended).toBe(2000)
    expect(most).toBeGreaterThan(7 << 20)
    expect(most).toBeLessThanOrEqual(9 << 20)
    expect(budget.take(8 << 20)).toBeUndefined()
  })
})

describe('the window of an account', () => {
  test('lets 100 messages be under way and a next one when one is done', async () => {
    const window = new Window(new MemoryBudget(1 << 30))
    const places = await Promise.all(Array.from({ length: 100 }, () => window.enter(100)))
    let entered = false
    const next = Promise.resolve(window.enter(100)).then(() => (entered = true))
    await turn()
    expect(entered).toBe(false)
    places[0]?.leave()
    await next
  })

  test('counts a large message as what it may hold in memory, so that one of 2 GB still comes in', async () => {
    const budget = new MemoryBudget(1 << 20)
    const place = await new Window(budget).enter(2 ** 31)
    expect(budget.take(1)).toBeInstanceOf(Promise)
    place.leave()
  })

  test('several accounts share the bytes', async () => {
    const budget = new MemoryBudget(1000)
    const place = await new Window(budget).enter(1000)
    let entered = false
    const other = Promise.resolve(new Window(budget).enter(1)).then(() => (entered = true))
    await turn()
    expect(entered).toBe(false)
    place.leave()
    await other
  })
})
