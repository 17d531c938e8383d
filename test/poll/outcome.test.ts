// Table 4 of the answers: how a poll ends, row by row, and each mixture of what may become of two messages.
import { describe, expect, test } from 'vitest'
import { type Counted, isMoreSerious, type Kept, outcomeOf, wasSuccess } from '../../src/poll/outcome.ts'

function counted(more: Partial<Omit<Counted, 'kept'>> & Partial<Record<Kept, number>>): Counted {
  const { tried = 0, rest = 0, own = 0, ...others } = more
  return { delivered: 0, paused: 0, waiting: 0, trouble: false, kept: { tried, rest, own }, ...others }
}

test.each([
  ['none delivered, a destination tried now kept back all', { tried: 2 }, 'failed', false],
  ['none delivered, a destination tried now kept back one, a rest the other', { tried: 1, rest: 1 }, 'failed', false],
  ['none delivered, a destination tried now kept back one', { tried: 1, own: 5 }, 'failed', false],
  ['none delivered, only rests kept them back', { rest: 2 }, 'paused', null],
  ['none delivered, only rests kept them back, others wait for their hour', { rest: 2, waiting: 3 }, 'paused', null],
  ['none delivered, only a person keeps them back', { paused: 2 }, 'paused', null],
  ['none delivered, a person and a rest keep them back', { paused: 1, rest: 1 }, 'paused', null],
  [
    'none delivered, a person keeps one back, a destination tried now the other',
    { paused: 1, tried: 1 },
    'failed',
    false,
  ],
  ['none delivered, a person keeps one back, another waits for its hour', { paused: 1, waiting: 1 }, 'partial', true],
  ['one delivered, one that a person keeps back', { delivered: 1, paused: 1 }, 'ok', true],
  ['one delivered, one that a person keeps back, one deferred', { delivered: 1, paused: 1, own: 1 }, 'partial', true],
  ['none delivered, for the sake of one and for a rest', { rest: 1, own: 1 }, 'partial', false],
  ['none delivered, all for their own sake', { own: 2 }, 'partial', null],
  ['one delivered, one kept back by a destination (D126)', { delivered: 1, tried: 1 }, 'partial', false],
  ['one delivered, one kept back by a rest (D126)', { delivered: 1, rest: 1 }, 'partial', false],
  ['one delivered, one deferred for its own sake', { delivered: 1, own: 1 }, 'partial', true],
  ['all delivered, others wait for their hour', { delivered: 1, waiting: 1 }, 'partial', true],
  ['nothing due, others wait for their hour', { waiting: 1 }, 'partial', true],
  ['all delivered, a deletion was tried and failed', { delivered: 1, trouble: true }, 'partial', true],
  ['all delivered', { delivered: 3 }, 'ok', true],
  ['nothing due', {}, 'ok', true],
] as const)('%s', (_, given, outcome, success) => {
  expect(outcomeOf(counted(given))).toBe(outcome)
  expect(wasSuccess(counted(given))).toBe(success)
})

describe('whatever the mixture', () => {
  const few = [0, 1, 2]
  const all = few.flatMap((delivered) =>
    few.flatMap((tried) => few.flatMap((rest) => few.map((own) => counted({ delivered, tried, rest, own })))),
  )

  test('what was to be delivered and was not never leaves a poll ok (N041, D126)', () => {
    for (const each of all) {
      const { tried, rest, own } = each.kept
      expect(outcomeOf(each) === 'ok').toBe(tried + rest + own === 0)
    }
  })

  test('only a poll that delivered something, or had nothing to deliver, is a success (N041)', () => {
    for (const each of all.filter((one) => wasSuccess(one) === true)) {
      const { tried, rest, own } = each.kept
      expect(tried + rest).toBe(0)
      expect(each.delivered > 0 || own === 0).toBe(true)
    }
  })
})

test('the most serious error is told: 78, 77, 76, 74, 73, 70, 75', () => {
  const order = [75, 70, 73, 74, 76, 77, 78]
  for (const [at, exit] of order.entries())
    for (const [place, than] of order.entries()) expect(isMoreSerious(exit, than)).toBe(at > place)
})
