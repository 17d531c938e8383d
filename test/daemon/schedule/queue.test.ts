// The order in which accounts are due, against a list that is sorted anew each time.
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { DueQueue } from '../../../src/daemon/schedule/queue.ts'

interface Item {
  readonly name: number
  dueMs: number | null
}

const step = fc.oneof(
  fc.record({ kind: fc.constant('due' as const), item: fc.nat(9), at: fc.nat(50) }),
  fc.record({ kind: fc.constant('none' as const), item: fc.nat(9) }),
  fc.record({ kind: fc.constant('take' as const), at: fc.nat(50) }),
)

test('the first that is due comes first, whatever was planned otherwise before', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 400 }), (steps) => {
      const items: Item[] = Array.from({ length: 10 }, (_, name) => ({ name, dueMs: null }))
      const queue = new DueQueue<Item>(() => items.length)
      const next = (): number | null => {
        const due = items.flatMap(({ dueMs }) => (dueMs === null ? [] : [dueMs]))
        return due.length === 0 ? null : Math.min(...due)
      }
      for (const one of steps) {
        const item = 'item' in one ? items[one.item] : undefined
        if (one.kind === 'due' && item !== undefined) {
          item.dueMs = one.at
          queue.add(item)
        } else if (one.kind === 'none' && item !== undefined) item.dueMs = null
        else if (one.kind === 'take') {
          const first = next()
          const taken = queue.take(one.at)
          expect(taken?.dueMs ?? null).toBe(first !== null && first <= one.at ? first : null)
          if (taken !== null) taken.dueMs = null
        }
        expect(queue.nextMs).toBe(next())
      }
    }),
  )
})

test('times that were changed a thousand times are not kept', () => {
  const item: Item = { name: 0, dueMs: null }
  const queue = new DueQueue<Item>(() => 1)
  for (let at = 100_000; at > 0; at--) {
    item.dueMs = at
    queue.add(item)
  }
  expect(queue.length).toBeLessThan(100)
  expect(queue.take(1)).toBe(item)
})
