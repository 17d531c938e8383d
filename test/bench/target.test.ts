import { describe, expect, test } from 'vitest'
import { judge, line, type Sample, type Target } from './target.ts'

const rate: Target = { quantity: 'rate', of: 'popfetch', against: 'mpop', target: 0.7, stretch: 1 }

function sample(name: string, seconds: readonly number[], others: Partial<Sample> = {}): Sample {
  return { name, seconds, peakMegabytes: [], standstillMs: [], exchanges: [], ...others }
}

test('what each message takes is the time of a run divided by its messages', () => {
  const each: Target = { quantity: 'microsecondsEach', of: 'popfetch', against: null, target: 65, stretch: 50 }
  const judged = judge(each, [sample('popfetch', [6, 5.8, 6.2])], 100_000)
  expect(line(judged)).toBe('popfetch: µs a message, target ≤ 65, stretch 50: 60 ± 2, met')
})

describe('a rate against a peer', () => {
  const verdict = (own: number[], peers: number[]) =>
    judge(rate, [sample('popfetch', own), sample('mpop', peers)], 0).verdict

  test('is the time of the peer divided by the own time, by the medians', () => {
    const judged = judge(rate, [sample('popfetch', [9, 2, 2]), sample('mpop', [1, 0.1, 1])], 0)
    expect(judged.value).toBe(0.5)
  })

  test.each([
    ['stretch', 1],
    ['met', 1.01],
    ['met', 1 / 0.7],
    ['missed', 1.45],
  ])('is %s when the own runs take %f s and those of the peer 1 s', (wanted, seconds) => {
    expect(verdict([seconds, seconds, seconds], [1, 1, 1])).toBe(wanted)
  })

  test('below its target is forgiven up to half the spread of the own and of the peer’s runs, and no more', () => {
    // 0.625, 0.075 below the target, which is 12 % of it.
    expect(verdict([1.6, 1.6, 1.6], [0.9, 1, 1.13])).toBe('missed')
    expect(verdict([1.6, 1.6, 1.6], [0.87, 1, 1.13])).toBe('within-noise')
    expect(verdict([1.4, 1.6, 1.8], [1, 1, 1])).toBe('within-noise')
    expect(verdict([1.5, 1.6, 1.7], [0.95, 1, 1.05])).toBe('missed')
    expect(verdict([1.5, 1.6, 1.7], [0.94, 1, 1.06])).toBe('within-noise')
  })

  test('of five runs the one farthest from the median makes no noise', () => {
    expect(verdict([1.6, 1.6, 1.6, 1.6, 9], [1, 1, 1, 1, 1])).toBe('missed')
    expect(verdict([1.6, 1.6, 1.6, 1.3, 1.9], [1, 0.9, 1, 1, 1])).toBe('missed')
    expect(verdict([1.6, 1.6, 1.6, 1.9, 9], [1, 1.03, 0.95, 0.1, 1])).toBe('within-noise')
  })

  test('noise takes nothing away from a target that is reached', () => {
    expect(verdict([0.5, 1, 3], [0.2, 1, 4])).toBe('stretch')
  })

  test('a single run has no noise to be forgiven', () => {
    expect(verdict([1.43], [1])).toBe('missed')
  })

  test('is not judged when the peer took no part, or one of them has no figures', () => {
    expect(judge(rate, [sample('popfetch', [1])], 0).verdict).toBe('not-judged')
    expect(judge(rate, [sample('popfetch', [1]), sample('mpop', [])], 0).verdict).toBe('not-judged')
    expect(judge(rate, [sample('popfetch', []), sample('mpop', [1])], 0).verdict).toBe('not-judged')
    expect(judge(rate, [], 0).verdict).toBe('not-judged')
  })
})

test('a time against a peer is better the smaller it is', () => {
  const target: Target = { ...rate, quantity: 'time', target: 0.8, stretch: 0.5 }
  const verdict = (seconds: number) => judge(target, [sample('popfetch', [seconds]), sample('mpop', [1])], 0).verdict
  expect([0.5, 0.8, 0.81].map(verdict)).toEqual(['stretch', 'met', 'missed'])
})

test('a surplus is told in milliseconds, with the noise of both in milliseconds', () => {
  const target: Target = { quantity: 'extraMs', of: 'popfetch', against: 'node -e 0', target: 120, stretch: 80 }
  const judged = judge(target, [sample('popfetch', [0.14, 0.15, 0.16]), sample('node -e 0', [0.024, 0.026, 0.028])], 0)
  expect(judged.value).toBeCloseTo(124)
  expect(judged.noise).toBeCloseTo(12)
  expect(judged.verdict).toBe('within-noise')
})

test('messages per second are those of a run divided by its time, and more is better', () => {
  const target: Target = { quantity: 'messagesPerSecond', of: 'popfetch', against: null, target: 2500, stretch: 4000 }
  const verdict = (seconds: number) => judge(target, [sample('popfetch', [seconds])], 5000).verdict
  expect([1.25, 2, 2.01].map(verdict)).toEqual(['stretch', 'met', 'missed'])
})

test('memory, standstills and exchanges are judged by themselves', () => {
  const samples = [
    sample('popfetch', [1, 1, 1], { peakMegabytes: [140, 151, 160], standstillMs: [99], exchanges: [4] }),
  ]
  const own = { of: 'popfetch', against: null, stretch: null }
  const verdict = (quantity: Target['quantity'], target: number) =>
    judge({ ...own, quantity, target }, samples, 0).verdict
  expect(verdict('peakMegabytes', 150)).toBe('within-noise')
  expect(verdict('peakMegabytes', 120)).toBe('missed')
  expect(verdict('standstillMs', 100)).toBe('met')
  expect(verdict('exchanges', 3)).toBe('missed')
})

test('a verdict reads as one line', () => {
  const judged = judge(rate, [sample('popfetch', [2, 2, 2.4]), sample('mpop', [1, 1, 1])], 0)
  expect(line(judged)).toBe('popfetch: × the rate of mpop, target ≥ 0.7, stretch 1: 0.50 ± 0.05, missed')
  expect(line(judge(rate, [], 0))).toBe('popfetch: × the rate of mpop, target ≥ 0.7, stretch 1: not judged')
})
