import { describe, expect, test } from 'vitest'
import { growth, LINEAR } from './growth.ts'
import { configured, pages, parsers } from './texts.ts'

describe.each(parsers)('the time for $name grows with the text and no faster', ({ parse, n, texts }) => {
  test.each(Object.entries(texts))('%s', (_, text) => {
    const [short, long] = [text(n), text(4 * n)]
    expect(growth((length) => parse(length === n ? short : long), n)).toBeLessThanOrEqual(LINEAR)
  })
})

test.each(Object.entries(pages))('a page of autoconfig is looked through once: %s', async (_, text) => {
  const cpuMs = async (page: string): Promise<number> => {
    const before = process.cpuUsage()
    await configured(page)
    const { user, system } = process.cpuUsage(before)
    return (user + system) / 1000
  }
  const [short, long] = [text(50_000), text(200_000)]
  const times = { short: Number.POSITIVE_INFINITY, long: Number.POSITIVE_INFINITY }
  for (let run = 0; run < 5; run += 1) {
    times.short = Math.min(times.short, await cpuMs(short))
    times.long = Math.min(times.long, await cpuMs(long))
  }
  expect(times.long < 8 || times.long <= LINEAR * times.short, JSON.stringify(times)).toBe(true)
})
