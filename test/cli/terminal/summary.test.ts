import { describe, expect, test } from 'vitest'
import { checkLines, duration, planLines, problemLines, size, summaryLine } from '../../../src/cli/terminal/summary.ts'
import type { MessageProblem } from '../../../src/poll/report.ts'
import { accountReport, checkReport } from '../reports.ts'

test.each([
  [0, '0 B'],
  [999, '999 B'],
  [1000, '1.0 kB'],
  [48_213, '48.2 kB'],
  [999_949, '999.9 kB'],
  [999_950, '1.0 MB'],
  [25e6, '25.0 MB'],
  [1.5e15, '1500.0 TB'],
])('%i bytes are %s', (bytes, text) => {
  expect(size(bytes)).toBe(text)
})

test.each([
  [412, '412 ms'],
  [1000, '1.0 s'],
  [59_940, '59.9 s'],
  [59_960, '1 min 0 s'],
  [75_000, '1 min 15 s'],
  [3_599_600, '1 h 0 min'],
  [7_260_000, '2 h 1 min'],
])('%i milliseconds are %s', (ms, text) => {
  expect(duration(ms)).toBe(text)
})

const wrongPassword = {
  code: 'ERR_AUTH',
  message: 'signing in as alice: "no": check the password',
  retry: 'later',
} as const

describe('the summary of an account', () => {
  test.each([
    [
      { delivered: 3, bytes: 48_213, deleted: 2, durationMs: 412 },
      'work: 3 messages delivered (48.2 kB), 2 deleted from the server, 412 ms',
    ],
    [{ listed: 12, durationMs: 90 }, 'work: nothing new, 12 messages on the server, 90 ms'],
    [{ listed: 1, durationMs: 90 }, 'work: nothing new, 1 message on the server, 90 ms'],
    [
      { outcome: 'partial', delivered: 1, bytes: 10, deferred: 2, refused: 3, held: 4, possibleDuplicates: 5 },
      'work: 1 message delivered (10 B), 2 deferred, 3 refused, 4 held back, 5 possibly delivered twice, 0 ms',
    ],
    [{ outcome: 'failed', error: wrongPassword, durationMs: 20 }, 'work: failed, 20 ms'],
    [
      { outcome: 'failed', error: wrongPassword, delivered: 1, bytes: 5 },
      'work: failed after 1 message delivered (5 B), 0 ms',
    ],
    [{ outcome: 'paused', error: wrongPassword }, 'work: not tried: signing in as alice: "no": check the password'],
    [{ outcome: 'busy' }, 'work: busy, another popfetch is at work on it'],
  ] as const)('%j', (facts, line) => {
    expect(summaryLine(accountReport(facts))).toBe(line)
  })
})

describe('problems', () => {
  const problem = (kind: MessageProblem['kind'], uidl: string): MessageProblem => ({ kind, uidl, reason: 'said no' })

  test('are one line each: the account, then its messages', () => {
    const report = accountReport({
      outcome: 'partial',
      error: wrongPassword,
      problems: [problem('refused', 'a'), problem('possibleDuplicate', 'b\u001b[2J')],
    })
    expect(problemLines(report, { lasting: true })).toEqual([
      'work: signing in as alice: "no": check the password',
      'work: message a: refused: said no',
      'work: message b\\x1b[2J: possibly delivered twice: said no',
    ])
  })

  test('that last are left out when they were told before, those of this run are not', () => {
    const report = accountReport({
      outcome: 'partial',
      error: wrongPassword,
      problems: [problem('deferred', 'a'), problem('held', 'b')],
    })
    expect(problemLines(report, { lasting: false })).toEqual(['work: message b: held back: said no'])
  })

  test('beyond ten messages are counted, and a refused one is not hidden by deferred ones', () => {
    const deferred = Array.from({ length: 14 }, (_, i) => problem('deferred', `d${i}`))
    const lines = problemLines(accountReport({ problems: [...deferred, problem('refused', 'r')] }), { lasting: true })
    expect(lines).toHaveLength(11)
    expect(lines[0]).toBe('work: message r: refused: said no')
    expect(lines.at(-1)).toBe('work: and 5 other messages, see --json for the counts')
  })

  test('of a run that was stopped by a signal are not told: whoever stopped it knows', () => {
    const error = { code: 'ERR_ABORTED', message: 'stopped by SIGINT', retry: 'soon' } as const
    expect(problemLines(accountReport({ outcome: 'failed', error }), { lasting: true })).toEqual([])
  })
})

describe('the plan of a dry run', () => {
  test('is a table under a heading', () => {
    const report = accountReport({
      listed: 12,
      new: 2,
      plan: [
        { uidl: 'uid-1', sizeBytes: 48_213, action: 'fetch', destinations: ['inbox', 'archive'] },
        { uidl: 'a-longer-uid', sizeBytes: null, action: 'delete', destinations: [] },
      ],
    })
    expect(planLines(report)).toEqual([
      'work: 12 messages on the server, 2 new',
      '  fetch   48.2 kB  uid-1         to inbox, archive',
      '  delete        -  a-longer-uid',
    ])
  })

  test('says so when there is nothing to do, or why it cannot be told', () => {
    expect(planLines(accountReport({ listed: 4 }))).toEqual(['work: 4 messages on the server, 0 new: nothing to do'])
    expect(planLines(accountReport({ outcome: 'failed', error: wrongPassword }))).toEqual([
      'work: signing in as alice: "no": check the password',
    ])
  })
})

describe('check', () => {
  test.each([
    [{ waiting: 12, new: 3 }, 'work: 12 messages waiting, 3 new'],
    [{ waiting: 1, new: 0 }, 'work: 1 message waiting, 0 new'],
    [{ outcome: 'failed', error: wrongPassword }, 'work: failed: signing in as alice: "no": check the password'],
    [{ outcome: 'busy' }, 'work: busy, another popfetch is at work on it'],
  ] as const)('%j', (facts, line) => {
    expect(checkLines(checkReport(facts), false)).toEqual([line])
  })

  test('adds what was found of the server when asked for every word, in columns', () => {
    const findings = [
      { name: 'TLS', value: 'TLSv1.3' },
      { name: 'greeting', value: '' },
    ]
    const advice = [{ cause: 'the certificate expires in 6 days', next: 'its owner must renew it' }]
    expect(checkLines(checkReport({ findings, advice, waiting: 3, waitingBytes: 48_213 }), true)).toEqual([
      'work: 3 messages waiting, 0 new (48.2 kB)',
      '  TLS       TLSv1.3',
      '  greeting',
      '  soon      the certificate expires in 6 days',
      '  next      its owner must renew it',
    ])
  })

  test('names what is likely behind a failure, one thing after the other', () => {
    const advice = [
      { cause: 'a', next: 'b' },
      { cause: 'c', next: 'd' },
    ]
    expect(checkLines(checkReport({ advice, outcome: 'failed', error: wrongPassword }), true).slice(1)).toEqual([
      '  likely  a',
      '  next    b',
      '  or      c',
      '  next    d',
    ])
  })
})
