// Every row of the table of Gmail's answers is reached by an example, and what fits no row is the message's, for the time being.
import { expect, test } from 'vitest'
import { concludeGmail, GMAIL_TABLE, type GmailAnswer } from '../../../src/deliver/answers/gmail.ts'

const usual: GmailAnswer = {
  step: 'message',
  kind: 'answer',
  status: 0,
  reasons: [],
  words: '',
  pauseMs: 0,
  handed: true,
}

const examples: readonly (readonly [row: string, leads: string, verdict: string, answer: Partial<GmailAnswer>])[] = [
  ['unreachable', 'DOWN', 'temporary', { kind: 'connect', handed: false }],
  ['tls', 'TLS', 'temporary', { kind: 'tls', handed: false }],
  ['message nonsense', 'LOST', 'unknown', { kind: 'nonsense' }],
  ['nonsense', 'TLS', 'temporary', { kind: 'nonsense', handed: false }],
  ['nonsense', 'TLS', 'temporary', { kind: 'nonsense', step: 'labels' }],
  ['message unanswered', 'LOST', 'unknown', { kind: 'cut' }],
  ['message unanswered', 'LOST', 'unknown', { kind: 'silence' }],
  ['cut', 'CUT', 'temporary', { kind: 'cut', handed: false }],
  ['labels unanswered', 'DOWN', 'temporary', { kind: 'silence', step: 'labels', handed: false }],
  ['token', 'SIGN', 'temporary', { status: 401 }],
  ['limit', 'BUSY', 'temporary', { status: 429 }],
  ['limit', 'BUSY', 'temporary', { status: 403, reasons: ['userRateLimitExceeded'] }],
  ['limit', 'BUSY', 'temporary', { status: 403, words: 'Too many concurrent requests for user' }],
  ['scope', 'SIGN', 'temporary', { status: 403, reasons: ['ACCESS_TOKEN_SCOPE_INSUFFICIENT'] }],
  ['broken', 'BUSY', 'unknown', { status: 500 }],
  ['broken', 'BUSY', 'unknown', { status: 408 }],
  ['broken', 'BUSY', 'temporary', { status: 503, step: 'labels', handed: false }],
  ['too large', 'FORM', 'refused', { status: 413 }],
  ['not set up', 'ACT', 'temporary', { status: 403, reasons: ['SERVICE_DISABLED', 'PERMISSION_DENIED'] }],
  ['not set up', 'ACT', 'temporary', { status: 400, reasons: ['failedPrecondition'] }],
  ['label', 'ACT', 'temporary', { status: 400, words: 'Invalid label: Label_9' }],
  ['label', 'ACT', 'temporary', { status: 409, step: 'labels' }],
  ['not allowed', 'ACT', 'temporary', { status: 403, reasons: ['forbidden'] }],
  ['not allowed', 'ACT', 'temporary', { status: 404 }],
  ['refused', 'BAD', 'refused', { status: 400, words: 'no' }],
  ['unknown', 'TEMP', 'temporary', { status: 418 }],
  ['unknown', 'TEMP', 'temporary', { status: 204 }],
]

test.each(examples)('%s: %s, %s', (row, leads, verdict, answer) => {
  const found = concludeGmail({ ...usual, ...answer })
  expect([found.row, found.conclusion, found.verdict]).toEqual([row, leads, verdict])
})

test('every row has an example', () => {
  const named = new Set(examples.map(([row]) => row))
  expect(GMAIL_TABLE.map(({ name }) => name).filter((name) => !named.has(name))).toEqual([])
})

test.each([
  ['Invalid attachment', 'author'],
  ['Message must have exactly one From header', 'author'],
  ['Header line too long', 'form'],
  ['Precondition', null],
])('"%s" is wrapped for its %s', (words, wrap) => {
  expect(concludeGmail({ ...usual, status: 400, words }).wrap).toBe(wrap)
})
