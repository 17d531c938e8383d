import { describe, expect, test } from 'vitest'
import { plannedLines, verdictLines, verdictOfAll } from '../../../../src/cli/commands/migrate/text.ts'
import { emptyReport, type MigrationReport } from '../../../../src/migrate/report.ts'

const wording = { home: '/home/ada', again: 'popfetch migrate A B' }

function report(facts: Partial<MigrationReport> = {}): MigrationReport {
  return {
    ...emptyReport('old-isp'),
    outcome: 'ok',
    destinations: ['maildir /home/ada/Mail/old'],
    readAgain: true,
    messages: 4312,
    verified: 4312,
    read: 4312,
    bytes: 2.1e9,
    durationMs: 192_000,
    ...facts,
  }
}

describe('a verdict', () => {
  test('is one line when everything is there', () => {
    expect(verdictLines(report(), wording)).toEqual([
      'old-isp: 4,312 of 4,312 messages are in ~/Mail/old, verified (2.1 GB, 3 min 12 s)',
    ])
  })

  test('says of a mail server that it accepted them', () => {
    const smtp = report({ destinations: ['smtp mail.example.net:25'], readAgain: false })
    expect(verdictLines(smtp, wording)[0]).toContain('4,312 messages were accepted by smtp mail.example.net:25 (')
  })

  test('counts what it did not have to move', () => {
    const [line] = verdictLines(report({ earlier: 7, older: 2, deleted: 4312, beyondLimit: 1000 }), wording)
    expect(line).toMatch(/; 4,312 deleted from the server, 7 fetched before, 2 older, 1,000 left for later$/)
  })

  test('names what is not there, why, and the command to try again', () => {
    const unmoved = Array.from({ length: 25 }, (_, at) => ({
      uidl: `uid-${at}\x1b`,
      messageId: at === 0 ? '<1@example.org>' : null,
      kind: 'refused' as const,
      reason: '554 no',
    }))
    const lines = verdictLines(report({ outcome: 'partial', verified: 4287, unmoved, unmovedCount: 25 }), wording)
    expect(lines[1]).toBe('  message uid-0\\x1b <1@example.org>: refused: 554 no')
    expect(lines).toHaveLength(1 + 20 + 1 + 1)
    expect(lines.at(-2)).toBe('  and 5 others')
    expect(lines.at(-1)).toBe('To try again: popfetch migrate A B')
  })

  test('says why stopped early, and how to go on after an interruption', () => {
    const error = { code: 'ERR_AUTH', message: 'sign-in refused', retry: 'later' as const }
    expect(verdictLines(report({ outcome: 'failed', error }), wording)).toContain(
      'old-isp: stopped early: sign-in refused',
    )
    const left = { uidl: 'a', messageId: null, kind: 'left', reason: 'not fetched yet' } as const
    const unmoved = Array.from({ length: 100 }, () => left)
    const interrupted = report({ outcome: 'interrupted', verified: 12, unmoved, unmovedCount: 4300 })
    expect(verdictLines(interrupted, wording)).toEqual([
      'old-isp: interrupted: 12 of 4,312 messages are in ~/Mail/old so far (2.1 GB, 3 min 12 s)',
      '  4,300 messages to fetch or to verify',
      'To go on: popfetch migrate A B',
    ])
  })

  test('for all accounts is one line', () => {
    const partial = report({ account: 'work', outcome: 'partial', messages: 10, verified: 9, bytes: 1000 })
    expect(verdictOfAll([report(), partial])).toBe('all: 1 of 2 accounts are moved, 4,321 of 4,322 messages (2.1 GB)')
  })
})

test('a dry run says how much would be moved', () => {
  const plan = [{ uidl: 'a', sizeBytes: 1000, action: 'fetch' as const, destinations: ['inbox'] }]
  expect(plannedLines(report({ messages: 1, verified: 0, bytes: 1000, older: 3, plan }))).toEqual([
    'old-isp: 1 message would be moved (1.0 kB); 3 are older',
    '  fetch  1.0 kB  a  to inbox',
  ])
})
