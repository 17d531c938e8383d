// As much of PromQL as the example of alert rules speaks, over the text that /metrics gives. Operators bind as in Prometheus: `or`
// least, then `unless`, comparisons, sums, products. A comparison keeps the series for which it holds; series with other labels do
// not meet. What it does not know it throws at.

export interface Sample {
  readonly labels: Readonly<Record<string, string>>
  readonly value: number
}

type Value = number | readonly Sample[]

/** Every series of a text, by the name of its metric. */
export function seriesOf(text: string): ReadonlyMap<string, readonly Sample[]> {
  const found = new Map<string, Sample[]>()
  for (const line of text.split('\n')) {
    if (line === '' || line.startsWith('#')) continue
    const [, name = '', labels = '', value = ''] = /^(\w+)(?:\{(.*)\})? (\S+)$/.exec(line) ?? []
    if (name === '') throw new Error(`not a line of metrics: ${line}`)
    const pairs = [...labels.matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g)].map(
      ([, key = '', text = '']) => [key, text] as const,
    )
    found.set(name, [...(found.get(name) ?? []), { labels: Object.fromEntries(pairs), value: Number(value) }])
  }
  return found
}

/** The series for which an expression holds. */
export function firing(
  expression: string,
  series: ReadonlyMap<string, readonly Sample[]>,
  nowMs: number,
): readonly Sample[] {
  const words = expression.match(/\w+|==|[-+*>()]/g) ?? []
  if (words.join('') !== expression.replace(/\s/g, '')) throw new Error(`not understood: ${expression}`)
  let at = 0
  const next = (): string => words[at++] ?? ''
  const take = (word: string): void => {
    const found = next()
    if (found !== word) throw new Error(`expected ${word}, found ${found}`)
  }
  const ifNext = (word: string): boolean => words[at] === word && at++ >= 0

  function either(): Value {
    let left = without()
    while (ifNext('or')) {
      const [own, others] = [samples(left), samples(without())]
      left = [...own, ...others.filter((other) => !own.some((one) => isAlike(one, other, null)))]
    }
    return left
  }
  function without(): Value {
    let left = compared()
    while (ifNext('unless')) {
      let label: string | null = null
      if (ifNext('on')) {
        take('(')
        label = next()
        take(')')
      }
      const others = samples(compared())
      left = samples(left).filter((one) => !others.some((other) => isAlike(one, other, label)))
    }
    return left
  }
  function compared(): Value {
    const left = sum()
    const sign = words[at]
    if (sign !== '>' && sign !== '==') return left
    at++
    const right = sum()
    if (typeof right !== 'number') throw new Error('compared with something else than a number')
    return samples(left).filter(({ value }) => (sign === '>' ? value > right : value === right))
  }
  function sum(): Value {
    let left = product()
    while (ifNext('-')) left = each(left, product(), (a, b) => a - b)
    return left
  }
  function product(): Value {
    let left = atom()
    while (ifNext('*')) left = each(left, atom(), (a, b) => a * b)
    return left
  }
  function atom(): Value {
    const word = next()
    if (word === '(') {
      const inner = either()
      take(')')
      return inner
    }
    if (/^\d+$/.test(word)) return Number(word)
    if (word === 'time') {
      take('(')
      take(')')
      return nowMs / 1000
    }
    if (word === 'absent') {
      take('(')
      const inner = samples(either())
      take(')')
      return inner.length === 0 ? [{ labels: {}, value: 1 }] : []
    }
    if (!/^popfetch_\w+$/.test(word)) throw new Error(`not understood: ${word}`)
    return series.get(word) ?? []
  }
  const value = either()
  if (at < words.length) throw new Error(`not understood: ${words.slice(at).join(' ')}`)
  return samples(value)
}

function samples(value: Value): readonly Sample[] {
  if (typeof value === 'number') throw new Error('a number where series belong')
  return value
}

function each(left: Value, right: Value, of: (a: number, b: number) => number): Value {
  if (typeof left === 'number' && typeof right === 'number') return of(left, right)
  if (typeof left === 'number') return samples(right).map((one) => ({ ...one, value: of(left, one.value) }))
  if (typeof right === 'number') return left.map((one) => ({ ...one, value: of(one.value, right) }))
  throw new Error('series with series')
}

/** `label`: by this one alone; null: by all. */
function isAlike(one: Sample, other: Sample, label: string | null): boolean {
  if (label !== null) return one.labels[label] === other.labels[label]
  const keys = new Set([...Object.keys(one.labels), ...Object.keys(other.labels)])
  return [...keys].every((key) => one.labels[key] === other.labels[key])
}
