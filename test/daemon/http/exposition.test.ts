import { expect, test } from 'vitest'
import { familyText, Histogram } from '../../../src/daemon/http/exposition.ts'
import { seriesOf } from './promql.ts'

test('a family has its help, its type and a line for each series, and what is in a label is read as it was', () => {
  const odd = 'a "quoted" \\ name\nof two lines'
  const samples = [[{ account: odd, state: 'held' }, 1.5] as const, [{}, 7] as const]
  const family = { name: 'popfetch_x', help: 'Of a \\ and\nmore', type: 'gauge', samples } as const
  const text = [...familyText(family)].join('')
  expect(text.split('\n')).toEqual([
    String.raw`# HELP popfetch_x Of a \\ and\nmore`,
    '# TYPE popfetch_x gauge',
    String.raw`popfetch_x{account="a \"quoted\" \\ name\nof two lines",state="held"} 1.5`,
    'popfetch_x 7',
    '',
    '',
  ])
  expect(
    seriesOf(text)
      .get('popfetch_x')
      ?.map(({ value }) => value),
  ).toEqual([1.5, 7])
})

test('values that are no number are written as Prometheus reads them', () => {
  const samples = [NaN, Infinity, -Infinity, 0, 1e21].map((value) => [{}, value] as const)
  const text = [...familyText({ name: 'x', help: '', type: 'counter', samples })].join('')
  expect(text.trim().split('\n').slice(2)).toEqual(['x NaN', 'x +Inf', 'x -Inf', 'x 0', 'x 1e+21'])
})

test('each bucket of a histogram counts what those below it count, and the last one everything', () => {
  const histogram = new Histogram('x', 'Delay', [0.1, 1])
  for (const value of [0.1, 0.05, 0.5, 2]) histogram.observe(value)
  expect(histogram.text()).toBe(`# HELP x Delay
# TYPE x histogram
x_bucket{le="0.1"} 2
x_bucket{le="1"} 3
x_bucket{le="+Inf"} 4
x_sum 2.65
x_count 4

`)
})
