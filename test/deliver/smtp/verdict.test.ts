// What each failure at each stage means for the mail: the table of D030–D036.
import { describe, expect, test } from 'vitest'
import { RefusalBreaker } from '../../../src/deliver/breaker.ts'
import { type Fault, judge, type Stage } from '../../../src/deliver/smtp/verdict.ts'

const faults: Readonly<Record<string, Fault>> = {
  '421': { kind: 'reply', code: 421, text: '421 bye' },
  '451': { kind: 'reply', code: 451, text: '451 later' },
  '550': { kind: 'reply', code: 550, text: '550 no' },
  '530': { kind: 'reply', code: 530, text: '530 sign in first' },
  '552': { kind: 'reply', code: 552, text: '552 too large' },
  cut: { kind: 'cut', text: 'reset' },
  timeout: { kind: 'timeout', text: 'slow' },
  nonsense: { kind: 'nonsense', text: '250 what' },
}

/** verdict / scope / retry, per fault in the order of the columns. */
const columns = ['421', '451', '550', '530', '552', 'cut', 'timeout', 'nonsense']
const DEST_SOON = 'temporary destination soon'
const DEST_LATER = 'temporary destination later'
const MSG_SOON = 'temporary message soon'
const REFUSED = 'refused message later'
const SESSION = [DEST_SOON, DEST_SOON, DEST_LATER, DEST_LATER, DEST_LATER, DEST_SOON, DEST_SOON, DEST_LATER]
const table: Readonly<Record<string, readonly string[]>> = {
  connect: SESSION,
  TLS: SESSION,
  greeting: SESSION,
  EHLO: SESSION,
  STARTTLS: SESSION,
  AUTH: SESSION,
  MAIL: [DEST_SOON, DEST_SOON, DEST_LATER, DEST_LATER, REFUSED, DEST_SOON, DEST_SOON, DEST_LATER],
  RCPT: [MSG_SOON, MSG_SOON, REFUSED, DEST_LATER, REFUSED, MSG_SOON, DEST_SOON, DEST_LATER],
  DATA: [MSG_SOON, MSG_SOON, REFUSED, DEST_LATER, REFUSED, MSG_SOON, DEST_SOON, 'unknown destination later'],
  content: [MSG_SOON, MSG_SOON, REFUSED, DEST_LATER, REFUSED, MSG_SOON, DEST_SOON, 'unknown destination later'],
}

describe('judge', () => {
  const rows = Object.entries(table).flatMap(([stage, row]) =>
    columns.map((name, column) => [stage as Stage, name, row[column] ?? ''] as const),
  )
  test.each(rows)('at %s, %s is %s (D030, D071)', (stage, name, expected) => {
    const { verdict, scope, retry } = judge(stage, faults[name]!, { handed: false, foreignSender: false })
    expect(`${verdict} ${scope} ${retry}`).toBe(expected)
  })

  test.each([
    ['cut', 'unknown message soon'],
    ['timeout', 'unknown destination soon'],
    ['nonsense', 'unknown destination later'],
    ['451', MSG_SOON],
    ['550', REFUSED],
  ])('after the whole content, %s is %s', (name, expected) => {
    const { verdict, scope, retry } = judge('content', faults[name]!, { handed: true, foreignSender: false })
    expect(`${verdict} ${scope} ${retry}`).toBe(expected)
  })

  test.each([
    ['550', REFUSED],
    ['451', MSG_SOON],
    ['421', DEST_SOON],
    ['530', DEST_LATER],
  ])('a sender from the message, answered %s to MAIL, is %s', (name, expected) => {
    const { verdict, scope, retry } = judge('MAIL', faults[name]!, { handed: false, foreignSender: true })
    expect(`${verdict} ${scope} ${retry}`).toBe(expected)
  })

  test('being stopped is temporary before the content is through, and unknown after', () => {
    const stopped: Fault = { kind: 'stopped', text: 'stopped' }
    expect(judge('RCPT', stopped, { handed: false, foreignSender: false }).verdict).toBe('temporary')
    expect(judge('content', stopped, { handed: true, foreignSender: false }).verdict).toBe('unknown')
  })
})

describe('RefusalBreaker', () => {
  const one = { message: 'm1', sender: 'me@example.com', recipient: 'a@example.com', reply: '550 5.1.1 no m1' }

  test('is tripped by the third different message refused with the same code, whatever the words (D032)', () => {
    const breaker = new RefusalBreaker()
    expect(breaker.refused(one)).toBe(false)
    expect(breaker.refused({ ...one, message: 'm2', reply: '550 5.1.1 no m2' })).toBe(false)
    expect(breaker.refused({ ...one, message: 'm3', reply: '550-5.1.1 no m3' })).toBe(true)
    // The same sender will be refused again: one message is enough to know.
    expect(breaker.refused({ ...one, message: 'm4' })).toBe(true)
  })

  test('is not tripped by one message tried three times, other codes, other recipients, or a success between', () => {
    const breaker = new RefusalBreaker()
    for (let i = 0; i < 5; i++) expect(breaker.refused(one)).toBe(false)
    expect(breaker.refused({ ...one, message: 'm2' })).toBe(false)
    expect(breaker.refused({ ...one, message: 'm3', reply: '550 5.7.1 no' })).toBe(false)
    expect(breaker.refused({ ...one, message: 'm4', recipient: 'b@example.com' })).toBe(false)
    expect(breaker.refused({ ...one, message: 'm5', recipient: 'b@example.com' })).toBe(false)
    breaker.accepted()
    expect(breaker.refused({ ...one, message: 'm6', recipient: 'b@example.com' })).toBe(false)
  })

  test('starts anew after it was tripped by messages with senders of their own', () => {
    const breaker = new RefusalBreaker()
    breaker.refused(one)
    breaker.refused({ ...one, message: 'm2', sender: 'x@example.com' })
    expect(breaker.refused({ ...one, message: 'm3' })).toBe(true)
    expect(breaker.refused({ ...one, message: 'm3' })).toBe(false)
  })
})
