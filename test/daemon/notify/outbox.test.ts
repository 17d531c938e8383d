// What is told when: a timeline of looks, of any process, on one memo.
import { describe, expect, test } from 'vitest'
import type { NoticeEvent } from '../../../src/config/daemon/notify.ts'
import {
  claimed,
  type Notice,
  observed,
  type Seen,
  settled,
  type State,
  stateOf,
  textOf,
} from '../../../src/daemon/notify/outbox.ts'
import type { Item, Trouble } from '../../../src/daemon/notify/troubles.ts'

const MINUTE = 60_000
const HOUR = 60 * MINUTE
const START = 1.8e12
const ALL: readonly NoticeEvent[] = ['problem', 'recovery', 'refused', 'held', 'sign-in', 'process', 'success']

function item(name: string, facts: Partial<Item> = {}): Item {
  return { accounts: [name], destination: '', code: 'ERR_CONNECT', message: 'no route', sinceMs: START, ...facts }
}

function trouble(name: string, facts: Partial<Trouble> = {}): Trouble {
  return { key: name, event: 'problem', sinceMs: START, afterMs: 6 * HOUR, unless: null, item: item(name), ...facts }
}

/** Processes that look one after the other; each knows only the memo. */
class Line {
  memo: string | null = null
  nowMs = START
  #ids = 0
  entries: Seen['entries'] = [{ mark: 'one', on: ALL }]
  configured: ReadonlySet<string> | null = null

  /** What is told in this look, by words; `fails`: nobody can be told. */
  look(
    troubles: readonly Trouble[] | null,
    facts: { fails?: boolean; happened?: Seen['happened'] } = {},
  ): readonly string[] {
    const seen: Seen = {
      entries: this.entries,
      troubles,
      happened: facts.happened ?? [],
      isConfigured: ({ accounts }) => this.configured === null || accounts.some((name) => this.configured?.has(name)),
      newId: () => String(this.#ids++),
      nowMs: this.nowMs,
    }
    const { state, notices } = claimed(observed(stateOf(this.memo), seen), this.nowMs)
    this.memo = textOf(state)
    const failed = new Set(facts.fails === true ? notices.map(({ id }) => id) : [])
    this.memo = textOf(settled(stateOf(this.memo), notices, failed, this.nowMs))
    return notices.map(wordsOf)
  }

  after(ms: number): this {
    this.nowMs += ms
    return this
  }
}

function wordsOf({ entry, event, items, more }: Notice): string {
  const names = items.flatMap(({ accounts }) => accounts).join('+')
  return `${entry} ${event} ${names}${more === 0 ? '' : ` and ${more}`}`
}

test('a trouble is told once when it is old enough, and once when it is over', () => {
  const line = new Line()
  expect(line.look([trouble('a')])).toEqual([])
  expect(line.after(6 * HOUR - 1).look([trouble('a')])).toEqual([])
  expect(line.after(1).look([trouble('a')])).toEqual(['one problem a'])
  for (let at = 0; at < 5; at++) expect(line.after(HOUR).look([trouble('a')])).toEqual([])
  expect(line.after(HOUR).look([])).toEqual(['one recovery a'])
  expect(line.after(HOUR).look([])).toEqual([])
  expect(line.memo).toBeNull()
  expect(line.look([trouble('a', { sinceMs: line.nowMs - 7 * HOUR })])).toEqual(['one problem a'])
})

test('one that passed before it was told is never told, nor that it is over', () => {
  const line = new Line()
  line.look([trouble('a')])
  expect(line.after(5 * HOUR).look([])).toEqual([])
  expect(line.after(HOUR).look([trouble('a', { sinceMs: line.nowMs })])).toEqual([])
})

test('of what nobody knows since when, it counts from the first look, and a clock that was ahead then says nothing (S030)', () => {
  const line = new Line()
  const unknown = trouble('a', { sinceMs: null })
  line.after(100 * HOUR).look([unknown])
  expect(line.after(-50 * HOUR).look([unknown])).toEqual([])
  expect(line.after(6 * HOUR).look([unknown])).toEqual(['one problem a'])
})

test('all of one look and one kind are one notice for each entry; of very many some are counted', () => {
  const line = new Line()
  line.entries = [
    { mark: 'one', on: ALL },
    { mark: 'two', on: ['problem'] },
    { mark: 'three', on: ['recovery'] },
  ]
  line.after(7 * HOUR)
  expect(line.look([trouble('a'), trouble('b')])).toEqual(['one problem a+b', 'two problem a+b'])
  expect(line.look([trouble('b')])).toEqual(['one recovery a', 'three recovery a'])
  const many = Array.from({ length: 30 }, (_, at) => trouble(`x${at}`))
  line.entries = [{ mark: 'two', on: ['problem'] }]
  expect(line.look([trouble('b'), ...many])[0]).toMatch(/^two problem x0\+.*\+x19 and 10$/)
})

test('what was taken out of the configuration has not recovered', () => {
  const line = new Line()
  line.after(7 * HOUR).look([trouble('a'), trouble('b')])
  line.configured = new Set(['b'])
  expect(line.look([])).toEqual(['one recovery b'])
})

test('what another trouble explains is not told, and is not over when it is explained', () => {
  const line = new Line()
  line.after(7 * HOUR)
  expect(line.look([trouble('a', { afterMs: Infinity })])).toEqual([])
  expect(line.look([trouble('a')])).toEqual(['one problem a'])
  expect(line.look([trouble('a', { afterMs: Infinity })])).toEqual([])
  expect(line.look([])).toEqual(['one recovery a'])
})

test('a password that is refused is told at once to whoever wants that, and after a while to the others, each once', () => {
  const line = new Line()
  line.entries = [
    { mark: 'one', on: ALL },
    { mark: 'two', on: ['problem', 'recovery'] },
  ]
  const now = [
    trouble('s', { event: 'sign-in', afterMs: 0, item: item('a') }),
    trouble('p', { unless: 'sign-in', item: item('a') }),
  ]
  expect(line.look(now)).toEqual(['one sign-in a'])
  expect(line.after(7 * HOUR).look(now)).toEqual(['two problem a'])
  expect(line.look([])).toEqual(['one recovery a', 'two recovery a+a'])
})

describe('a notice that fails', () => {
  test('is tried again less and less often, and is told once when it can be', () => {
    const line = new Line()
    line.after(7 * HOUR)
    expect(line.look([trouble('a')], { fails: true })).toEqual(['one problem a'])
    expect(line.look([trouble('a')], { fails: true })).toEqual([])
    const tries: number[] = []
    for (let minutes = 0; minutes < 200; minutes++)
      if (line.after(MINUTE).look([trouble('a')], { fails: true }).length > 0) tries.push(minutes + 1)
    expect(tries).toEqual([1, 3, 7, 15, 31, 63, 123, 183])
    expect(line.after(2 * HOUR).look([trouble('a')])).toEqual(['one problem a'])
    expect(line.after(2 * HOUR).look([trouble('a')])).toEqual([])
  })

  test('is given up after three days, and when its entry is gone', () => {
    const line = new Line()
    line.after(7 * HOUR).look([trouble('a')], { fails: true })
    expect(line.after(72 * HOUR).look([trouble('a')])).toEqual([])
    line.look([], { fails: true })
    line.entries = []
    line.after(HOUR).look([])
    expect(line.memo).toBeNull()
  })

  test('does not keep others from being told', () => {
    const line = new Line()
    line.after(7 * HOUR).look([trouble('a')], { fails: true })
    expect(line.look([trouble('a'), trouble('b')])).toEqual(['one problem b'])
  })

  test('is bounded in number', () => {
    const line = new Line()
    for (let at = 0; at < 300; at++) line.look([], { fails: true, happened: [{ event: 'held', items: [item('a')] }] })
    expect(stateOf(line.memo).outbox).toHaveLength(100)
  })
})

test('a notice that is being sent is nobody else’s; after a process that died it is sent by the next', () => {
  const line = new Line()
  const seen: Seen = {
    entries: line.entries,
    troubles: [],
    happened: [{ event: 'held', items: [item('a')] }],
    isConfigured: () => true,
    newId: () => 'x',
    nowMs: START,
  }
  const first = claimed(observed(stateOf(null), seen), START)
  expect(first.notices).toHaveLength(1)
  const again = (state: State, nowMs: number) => claimed(observed(state, { ...seen, happened: [], nowMs }), nowMs)
  expect(again(first.state, START + MINUTE).notices).toEqual([])
  expect(again(first.state, START + 3 * MINUTE).notices).toHaveLength(1)
})

test.each([null, '', 'x', '[]', '{}', '{"known":null}'])('a memo %j is an empty one', (memo) => {
  expect(textOf(stateOf(memo))).toBeNull()
})
