import { describe, expect, test } from 'vitest'
import { Retries, type SessionEnd } from '../../src/migrate/retry.ts'
import type { ReportedError } from '../../src/poll/report.ts'

const NOW = 1_800_000_000_000

const end = (facts: Partial<SessionEnd> = {}): SessionEnd => ({
  error: null,
  progress: false,
  deferred: false,
  nowMs: NOW,
  delayedUntilMs: 0,
  pausedUntilMs: 0,
  ...facts,
})

const lost: ReportedError = { code: 'ERR_CONNECT', message: 'lost', retry: 'soon' }

/** What `waitMs` was, until the end. */
function waits(retries: Retries, facts: Partial<SessionEnd>): readonly number[] {
  const found: number[] = []
  for (let next = retries.after(end(facts)); next.kind === 'again'; next = retries.after(end(facts))) {
    found.push(next.waitMs)
    if (found.length > 200) throw new Error('it does not end')
  }
  return found
}

describe('after a session', () => {
  test('that brought something comes another one, after a moment (P137)', () => {
    expect(new Retries().after(end({ progress: true }))).toEqual({ kind: 'again', waitMs: 2000 })
  })

  test('that brought nothing it is over', () => {
    expect(new Retries().after(end())).toEqual({ kind: 'end' })
  })

  test('that brought nothing but failed messages comes one more (P108)', () => {
    expect(waits(new Retries(), { deferred: true })).toEqual([2000])
  })

  test('LOGIN-DELAY is obeyed, whatever happened (P155)', () => {
    const delayedUntilMs = NOW + 300_000
    expect(new Retries().after(end({ progress: true, delayedUntilMs }))).toEqual({ kind: 'again', waitMs: 300_000 })
    expect(new Retries().after(end({ error: lost, delayedUntilMs }))).toEqual({ kind: 'again', waitMs: 300_000 })
  })

  test('that was lost the pauses grow, and it ends', () => {
    expect(waits(new Retries(), { error: lost })).toEqual([
      2000, 4000, 8000, 16_000, 32_000, 60_000, 60_000, 60_000, 60_000,
    ])
  })

  test('whose host has no such name it is over, unless the name was found before or is to be waited for', () => {
    const unknown: ReportedError = { code: 'ERR_CONNECT', message: 'no such host', retry: 'later' }
    expect(new Retries().after(end({ error: unknown }))).toEqual({ kind: 'give-up' })
    expect(new Retries(60_000).after(end({ error: unknown }))).toMatchObject({ kind: 'again' })
    const known = new Retries()
    known.after(end({ progress: true }))
    expect(waits(known, { error: unknown })).toHaveLength(9)
  })

  test('that was lost with something it begins anew', () => {
    const retries = new Retries()
    for (let lostOnes = 0; lostOnes < 8; lostOnes++) retries.after(end({ error: lost }))
    expect(retries.after(end({ error: lost, progress: true }))).toEqual({ kind: 'again', waitMs: 2000 })
    expect(waits(retries, { error: lost })).toHaveLength(9)
  })

  test('a refusal that speaks of a limit is taken at its word, one of a locked mailbox is not', () => {
    const limited: ReportedError = { code: 'ERR_POP3_REPLY', message: 'too many', retry: 'later' }
    const pausedUntilMs = NOW + 900_000
    expect(new Retries().after(end({ error: limited, pausedUntilMs }))).toEqual({ kind: 'again', waitMs: 900_000 })
    const locked: ReportedError = { ...limited, retry: 'soon' }
    expect(new Retries().after(end({ error: locked, pausedUntilMs }))).toEqual({ kind: 'again', waitMs: 2000 })
  })

  test('what somebody has to mend ends it at once', () => {
    const broken: ReportedError = { code: 'ERR_CONFIG', message: 'x', retry: 'never' }
    expect(new Retries().after(end({ error: broken, progress: true }))).toEqual({ kind: 'give-up' })
  })

  test('a password that worked before may be refused now and then (P052)', () => {
    const refused: ReportedError = { code: 'ERR_AUTH', message: 'x', retry: 'later' }
    expect(new Retries().after(end({ error: refused }))).toEqual({ kind: 'give-up' })
    const retries = new Retries()
    retries.after(end({ progress: true }))
    expect(waits(retries, { error: refused })).toHaveLength(2)
  })
})

describe('with --keep-trying', () => {
  const day = 24 * 3_600_000

  test('a line that is down is waited for as long as was said, four times an hour at last', () => {
    const found = waits(new Retries(day), { error: lost })
    expect(found.slice(0, 4)).toEqual([2000, 4000, 8000, 16_000])
    expect(found.at(-1)).toBe(15 * 60_000)
    expect(found.reduce((sum, ms) => sum + ms, 0)).toBeGreaterThanOrEqual(day)
    expect(found.slice(0, -1).reduce((sum, ms) => sum + ms, 0)).toBeLessThan(day)
  })

  test('what comes in between begins it again, and the clock does not count: a laptop that slept has not tried', () => {
    const retries = new Retries(20_000)
    const failed = (nowMs: number) => retries.after(end({ error: lost, nowMs }))
    expect(failed(NOW).kind).toBe('again')
    expect(failed(NOW + 30 * day).kind).toBe('again')
    expect(retries.after(end({ progress: true })).kind).toBe('again')
    expect([failed(NOW).kind, failed(NOW).kind, failed(NOW).kind, failed(NOW).kind]).toEqual(Array(4).fill('again'))
    expect(failed(NOW).kind).toBe('give-up')
  })

  test.each([
    ['ERR_AUTH', undefined],
    ['ERR_LEDGER', undefined],
    ['ERR_DELIVERY', 73],
    ['ERR_DELIVERY', 77],
  ])('%s (%s) is for somebody to mend, and ends it as ever', (code, exit) => {
    const error = { code, message: 'no', retry: 'later', ...(exit === undefined ? {} : { exit }) } as const
    expect(waits(new Retries(day), { error })).toEqual(waits(new Retries(), { error }))
  })

  test.each([
    ['ERR_TIMEOUT', undefined],
    ['ERR_POP3_REPLY', undefined],
    ['ERR_DELIVERY', 75],
    ['ERR_DELIVERY', 76],
  ])('%s (%s) is waited for', (code, exit) => {
    const error = { code, message: 'no', retry: 'later', ...(exit === undefined ? {} : { exit }) } as const
    expect(waits(new Retries(day), { error }).length).toBeGreaterThan(90)
  })
})
