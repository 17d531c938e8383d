import { describe, expect, test } from 'vitest'
import { troublesOf } from '../../../../src/cli/commands/poll/quiet.ts'
import { planLines, problemLines, summaryLine, totalLine } from '../../../../src/cli/commands/poll/text.ts'
import type { MessageProblem } from '../../../../src/poll/report.ts'
import { accountReport, WRONG_PASSWORD } from '../../reports.ts'

const INTERRUPTED = { code: 'ERR_ABORTED', message: 'stopped by SIGINT', retry: 'soon' } as const

describe('the line for all accounts', () => {
  test('is there for more than one, and counts what happened to them', () => {
    expect(totalLine([accountReport({})])).toBeNull()
    expect(totalLine([accountReport({}), accountReport({})])).toBe('2 accounts: nothing new')
    expect(
      totalLine([
        accountReport({ delivered: 2, bytes: 1000, deferred: 1, held: 1, outcome: 'partial' }),
        accountReport({ delivered: 1, bytes: 500, deleted: 4 }),
        accountReport({ outcome: 'failed', error: WRONG_PASSWORD }),
        accountReport({ outcome: 'failed', error: INTERRUPTED }),
        accountReport({ outcome: 'paused' }),
        accountReport({ outcome: 'busy' }),
      ]),
    ).toBe(
      '6 accounts: 3 messages delivered (1.5 kB), 1 waiting, 1 held back, 4 deleted from the server, 1 account failed, 1 account interrupted, 1 account not tried, 1 account busy',
    )
  })
})

describe('the summary of an account', () => {
  test.each([
    [
      { delivered: 3, bytes: 48_213, deleted: 2, durationMs: 412 },
      'work: 3 messages delivered (48.2 kB), 2 deleted from the server, 412 ms',
    ],
    [{ undeleted: 2, durationMs: 90 }, 'work: 2 that should have been deleted but were not, 90 ms'],
    [{ listed: 12, durationMs: 90 }, 'work: nothing new, 12 messages on the server, 90 ms'],
    [{ listed: 1, durationMs: 90 }, 'work: nothing new, 1 message on the server, 90 ms'],
    [
      { outcome: 'partial', delivered: 1, bytes: 10, deferred: 2, refused: 3, held: 4, possibleDuplicates: 5 },
      'work: 1 message delivered (10 B), 2 waiting, 3 refused, 4 held back, 5 possibly delivered twice, 1 ms',
    ],
    [{ outcome: 'failed', error: WRONG_PASSWORD, durationMs: 20 }, 'work: failed, 20 ms'],
    [
      { outcome: 'failed', error: WRONG_PASSWORD, delivered: 1, bytes: 5 },
      'work: failed after 1 message delivered (5 B), 1 ms',
    ],
    [{ outcome: 'paused', error: WRONG_PASSWORD }, 'work: not tried: signing in as alice: "no": check the password'],
    [{ outcome: 'busy' }, 'work: busy: another popfetch is polling it'],
    [
      { delivered: 3, bytes: 48_213, deliveredTo: ['inbox'], durationMs: 412 },
      'work: 3 messages delivered to inbox (48.2 kB), 412 ms',
    ],
    [
      { delivered: 3, bytes: 5, deliveredTo: ['a', 'b', 'c', 'd\u001b[2J', 'e'] },
      'work: 3 messages delivered to a, b, c, 2 more (5 B), 1 ms',
    ],
    [{ outcome: 'failed', error: INTERRUPTED }, 'work: interrupted, 1 ms'],
    [
      { outcome: 'failed', error: INTERRUPTED, delivered: 1, bytes: 5 },
      'work: interrupted after 1 message delivered (5 B), 1 ms',
    ],
  ] as const)('%j', (facts, line) => {
    expect(summaryLine(accountReport(facts))).toBe(line)
  })
})

describe('problems', () => {
  const problem = (kind: MessageProblem['kind'], uidl: string): MessageProblem => ({ kind, uidl, reason: 'said no' })

  test('are one line each: the account, then its messages', () => {
    const report = accountReport({
      outcome: 'partial',
      error: WRONG_PASSWORD,
      problems: [problem('refused', 'a'), problem('possibleDuplicate', 'b\u001b[2J')],
    })
    expect(problemLines(report, null)).toEqual([
      'work: signing in as alice: "no": check the password',
      'work: message a: refused: said no',
      'work: message b\\x1b[2J: possibly delivered twice: said no',
    ])
  })

  test('that last are left out when they were told before, those of this run are not', () => {
    const report = accountReport({
      outcome: 'partial',
      error: WRONG_PASSWORD,
      problems: [problem('deferred', 'a'), problem('held', 'b')],
    })
    expect(problemLines(report, [])).toEqual(['work: message b: held back: said no'])
  })

  test('beyond ten messages are counted, and a refused one is not hidden by deferred ones', () => {
    const deferred = Array.from({ length: 14 }, (_, i) => ({ ...problem('deferred', `d${i}`), reason: `no ${i}` }))
    const lines = problemLines(accountReport({ problems: [...deferred, problem('refused', 'r')] }), null)
    expect(lines).toHaveLength(11)
    expect(lines[0]).toBe('work: message r: refused: said no')
    expect(lines.at(-1)).toBe('work: and 5 other messages: --json has the counts')
  })

  test('with one reason are one line (D127)', () => {
    const refused = Array.from({ length: 60 }, (_, i) => ({
      ...problem('refused', `r${i}`),
      recipient: 'bob@example.net',
    }))
    expect(problemLines(accountReport({ problems: refused }), null)).toEqual([
      'work: 60 messages, the first r0: refused: said no',
    ])
  })

  test('name From, Subject, destination and recipient', () => {
    const about = { from: 'Ann <ann@example.org>', subject: 'lunch', destination: 'next', recipient: 'bob@example.net' }
    expect(problemLines(accountReport({ problems: [{ ...problem('held', 'a'), ...about }] }), null)).toEqual([
      'work: message a (from Ann <ann@example.org>, "lunch") to next for bob@example.net: held back: said no',
    ])
  })

  test('of each destination are told, and each cause once', () => {
    const of = (destination: string, message: string) => ({
      destination,
      recipient: '',
      error: { code: 'ERR_DELIVERY', message, retry: 'soon' as const, exit: 75 },
    })
    const troubles = [of('a', 'a is down'), of('b', 'b is busy'), of('c', 'b is busy')]
    const [first] = troubles
    const report = accountReport({ outcome: 'failed', error: first?.error ?? null, troubles, undeleted: 2 })
    expect(problemLines(report, null)).toEqual([
      'work: a is down',
      'work: b is busy',
      'work: 2 messages should have been deleted from the server but were not: see popfetch status',
    ])
    expect(problemLines(report, troublesOf(report).slice(1, 2))).toEqual(['work: b is busy'])
  })

  test('of a run that was stopped by a signal are not told: whoever stopped it knows', () => {
    const error = { code: 'ERR_ABORTED', message: 'stopped by SIGINT', retry: 'soon' } as const
    expect(problemLines(accountReport({ outcome: 'failed', error }), null)).toEqual([])
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
      'work: 12 messages on the server, 2 to fetch',
      '  fetch   48.2 kB  uid-1         to inbox, archive',
      '  delete        -  a-longer-uid',
    ])
  })

  test('says so when there is nothing to do, or why it cannot be told', () => {
    expect(planLines(accountReport({ listed: 4 }))).toEqual([
      'work: 4 messages on the server, 0 to fetch: nothing to do',
    ])
    expect(planLines(accountReport({ outcome: 'failed', error: WRONG_PASSWORD }))).toEqual([
      'work: signing in as alice: "no": check the password',
    ])
  })
})
