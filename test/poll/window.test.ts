import { setImmediate as turn } from 'node:timers/promises'
import { describe, expect, test } from 'vitest'
import { MemoryBudget, Window } from '../../src/poll/window.ts'

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

describe('the window of an account', () => {
  test('lets 100 messages be under way and a next one when one is done', async () => {
    const window = new Window(new MemoryBudget(1 << 30))
    const leaves = await Promise.all(Array.from({ length: 100 }, () => window.enter(100)))
    let entered = false
    const next = window.enter(100).then(() => (entered = true))
    await turn()
    expect(entered).toBe(false)
    leaves[0]?.()
    await next
  })

  test('counts a large message as what it may hold in memory, so that one of 2 GB still comes in', async () => {
    const budget = new MemoryBudget(1 << 20)
    const leave = await new Window(budget).enter(2 ** 31)
    expect(budget.take(1)).toBeInstanceOf(Promise)
    leave()
  })

  test('several accounts share the bytes', async () => {
    const budget = new MemoryBudget(1000)
    const leave = await new Window(budget).enter(1000)
    let entered = false
    const other = new Window(budget).enter(1).then(() => (entered = true))
    await turn()
    expect(entered).toBe(false)
    leave()
    await other
  })
})
