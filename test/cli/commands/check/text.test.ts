import { describe, expect, test } from 'vitest'
import { checkLines } from '../../../../src/cli/commands/check/text.ts'
import { checkReport, WRONG_PASSWORD } from '../../reports.ts'

describe('check', () => {
  test.each([
    [{ waiting: 12, new: 3 }, 'work: 12 messages on the server, 3 to fetch'],
    [{ waiting: 1, new: 0 }, 'work: 1 message on the server, 0 to fetch'],
    [{ outcome: 'failed', error: WRONG_PASSWORD }, 'work: failed: signing in as alice: "no": check the password'],
    [{ outcome: 'busy' }, 'work: busy: another popfetch is polling it'],
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
      'work: 3 messages on the server, 0 to fetch (48.2 kB)',
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
    expect(checkLines(checkReport({ advice, outcome: 'failed', error: WRONG_PASSWORD }), true).slice(1)).toEqual([
      '  likely  a',
      '  next    b',
      '  or      c',
      '  next    d',
    ])
  })
})
