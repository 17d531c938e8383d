// The table of `status` on a terminal: whatever is in it, it fits.
import { describe, expect, test } from 'vitest'
import { assert, constantFrom, integer, property, record as fields } from 'fast-check'
import { accountRows } from '../../../../src/cli/commands/status/table.ts'
import { statusLines } from '../../../../src/cli/commands/status/text.ts'
import { cellsOf } from '../../../../src/cli/terminal/width.ts'
import type { Unsettled } from '../../../../src/ledger/records.ts'
import type { Facts } from '../../../../src/status/status.ts'
import { failing, HOUR, MINUTE, NOW, record, REFUSED_SIGN_IN, status } from '../../../status/scene.ts'

const LONG_NAME = 'a-rather-long-name-of-an-account-with-a-domain.example.org'

function rows(facts: Partial<Facts>, columns: number) {
  return accountRows(status({ records: [], ...facts }), columns).map(({ text }) => text)
}

function unsettled(account: string, counts: Partial<Unsettled>): Pick<Facts, 'unsettled'> {
  return { unsettled: new Map([[account, { waiting: 0, refused: 0, held: 0, undeleted: 0, ...counts }]]) }
}

describe('on a terminal of 80 columns', () => {
  test('columns in which all is 0 are left out', () => {
    expect(rows({ records: [record('work'), record('old-isp-net')] }, 80)).toEqual([
      '   account      last success  last poll  next poll',
      '   work         3 min ago     3 min ago  -',
      '   old-isp-net  3 min ago     3 min ago  -',
    ])
  })

  test('those that say something have the words of all others', () => {
    const records = [record('work'), failing('home', REFUSED_SIGN_IN, { pausedUntilMs: NOW + 14 * MINUTE })]
    expect(rows({ records, ...unsettled('work', { waiting: 1200 }) }, 80)).toEqual([
      '   account  last success  last poll  waiting  failures  next poll',
      '!  home     3 min ago     3 min ago        0         3  paused for 14 min',
      '   work     3 min ago     3 min ago    1,200         0  -',
    ])
  })

  test('a name that is too long is cut in its middle', () => {
    const [, first = ''] = rows({ records: [record(LONG_NAME)], ...unsettled(LONG_NAME, { waiting: 1, held: 2 }) }, 80)
    expect(first).toMatch(/^ {3}a-rather-\S*…\S*example\.org {2}3 min ago /)
    expect(cellsOf(first)).toBeLessThanOrEqual(80)
  })

  test('an account that is no longer configured says so', () => {
    expect(rows({ records: [record('work')], configured: [] }, 80)[1]).toMatch(/ {2}not configured$/)
  })
})

test('an account that needs a person stands first, then one that may, then the others as configured', () => {
  const old = { lastPollMs: NOW - 90 * HOUR, lastSuccessMs: NOW - 90 * HOUR }
  const records = [record('a'), record('b', old), failing('c', REFUSED_SIGN_IN), record('d')]
  expect(rows({ records }, Infinity).map((text) => text.slice(0, 4))).toEqual(['   a', '!  c', '?  b', '   a', '   d'])
})

test('where there is no room for a table each account is a sentence', () => {
  const records = [failing('work', REFUSED_SIGN_IN, { pausedUntilMs: NOW + 14 * MINUTE })]
  expect(rows({ records, ...unsettled('work', { waiting: 2, refused: 1 }) }, 40)).toEqual([
    expect.stringMatching(
      /^! work: last success 3 min ago; last poll failed, 3 min ago; 2 waiting; 1 refused; 3 failures; next poll paused for 14 min, until /,
    ),
  ])
})

test('whatever the numbers, names and times: a table never is wider than the terminal', () => {
  const number = constantFrom(0, 0, 1, 99, 123_456)
  const account = fields({
    name: constantFrom('a', 'work', LONG_NAME),
    agoMs: constantFrom(0, 59 * MINUTE, 400 * 24 * HOUR),
    pausedMs: constantFrom(0, 47 * HOUR),
    failures: number,
    waiting: number,
    refused: number,
    held: number,
    configured: constantFrom(true, false),
  })
  assert(
    property(account, integer({ min: 60, max: 140 }), (facts, columns) => {
      const { name, agoMs, pausedMs, failures, configured, waiting, refused, held } = facts
      const told = { lastPollMs: NOW - agoMs, lastSuccessMs: NOW - agoMs, pausedUntilMs: NOW + pausedMs, failures }
      const records = [record('home'), record(name, told)]
      const all = { records, ...(configured ? {} : { configured: ['home'] }) }
      const lines = rows({ ...all, ...unsettled(name, { waiting, refused, held }) }, columns)
      const isTable = lines[0]?.includes('last success  last poll') === true
      if (isTable) for (const line of lines) expect(cellsOf(line)).toBeLessThanOrEqual(columns)
      else expect(lines).toHaveLength(2)
    }),
  )
})

test('with many accounts the last line has their number, and what is wrong', () => {
  const many = Array.from({ length: 198 }, (_, at) => record(`account-${at}`))
  const facts = { records: [...many, failing('x', REFUSED_SIGN_IN), failing('y', REFUSED_SIGN_IN)] }
  const lines = statusLines(status({ ...facts, ...unsettled('account-7', { waiting: 14, held: 1 }) }), Infinity)
  expect(lines.at(-1)?.text).toBe('200 accounts: 2 fail, 14 messages waiting, 1 held')
  expect(lines.slice(7, 10).map(({ text }) => text.slice(0, 4))).toEqual(['   a', '!  x', '!  y'])
})

describe('of more accounts than fit a terminal', () => {
  const names = Array.from({ length: 3000 }, (_, at) => `account-${at}`)
  const facts = (isFailing: (at: number) => boolean) => ({
    records: names.map((name, at) =>
      isFailing(at)
        ? failing(name, { code: 'ERR_CONNECT', message: `no answer from host ${at}`, retry: 'soon' as const })
        : record(name),
    ),
    ...unsettled('account-7', { waiting: 0, held: 1 }),
  })
  const texts = (all: ReturnType<typeof facts>, columns: number, isWhole = false) =>
    statusLines(status(all), columns, { isWhole }).map(({ text }) => text.trimEnd())

  test('a terminal shows those of which there is something to tell, the sum, and how to have all', () => {
    const told = texts(
      facts((at) => at === 2000),
      80,
    )
    expect(told.length).toBeLessThan(20)
    expect(told.filter((text) => /^[!? ] {2}account-/.test(text)).map((text) => text.split(/ +/)[1])).toEqual([
      'account-2000',
      'account-7',
    ])
    expect(told.slice(-2)).toEqual([
      'and 2,998 other accounts: popfetch status --every',
      '3,000 accounts: 1 fails, 1 held',
    ])
  })

  test('a terminal is not flooded when all fail', () => {
    const told = texts(
      facts(() => true),
      80,
    )
    expect(told.length).toBeLessThan(150)
    expect(told).toContain('and 2,981 more problems: popfetch status --every')
    expect(told.at(-2)).toBe('and 2,900 other accounts: popfetch status --every')
  })

  test('a pipe, and whoever asks for every one, have all', () => {
    const all = facts((at) => at % 2 === 0)
    expect(texts(all, Infinity)).toHaveLength(texts(all, 80, true).length)
    expect(texts(all, Infinity).filter((text) => / {2}account-/.test(text))).toHaveLength(3000)
  })
})
