// The table of IMAP's answers, row by row: every row has an answer that leads to it, and its neighbours lead elsewhere.
import { describe, expect, test } from 'vitest'
import { concludeImap, IMAP_TABLE, type ImapAnswer, type ImapStep } from '../../../src/deliver/answers/imap.ts'
import { MEANINGS } from '../../../src/deliver/answers/conclusions.ts'

const NOTHING = { handed: false, othersOpen: false, thirdTime: false }

function reply(line: string): Omit<ImapAnswer, 'step'> {
  const [, status = '', code = '', text = ''] = /^(NO|BAD|BYE) ?(?:\[([A-Z-]+)[^\]]*\])? ?(.*)$/.exec(line) ?? []
  return { kind: 'reply', status, code, text }
}

const without = (kind: ImapAnswer['kind']): Omit<ImapAnswer, 'step'> => ({ kind, status: '', code: '', text: 'words' })

interface Case {
  readonly row: string
  readonly step: ImapStep
  readonly answer: Omit<ImapAnswer, 'step'>
  readonly leads: string
  readonly in?: Partial<typeof NOTHING>
}

const CASES: readonly Case[] = [
  {
    row: 'too many connections',
    step: 'greeting',
    answer: reply('BYE too many'),
    leads: 'TEMP',
    in: { othersOpen: true },
  },
  {
    row: 'too many connections',
    step: 'sign-in',
    answer: reply('NO [LIMIT] x'),
    leads: 'TEMP',
    in: { othersOpen: true },
  },
  {
    row: 'named pause',
    step: 'APPEND',
    answer: reply('BAD Request is throttled. Suggested Backoff Time: 92415 milliseconds'),
    leads: 'BUSY',
  },
  { row: 'named pause', step: 'sign-in', answer: reply('NO try again in 5 minutes'), leads: 'BUSY' },
  { row: 'open gone', step: 'connect', answer: without('cut'), leads: 'DOWN' },
  { row: 'open gone', step: 'greeting', answer: without('silence'), leads: 'DOWN' },
  { row: 'open not IMAP', step: 'greeting', answer: without('nonsense'), leads: 'TLS' },
  { row: 'open refused', step: 'greeting', answer: reply('BYE go away'), leads: 'BUSY' },
  { row: 'TLS not now', step: 'STARTTLS', answer: reply('NO [UNAVAILABLE] later'), leads: 'BUSY' },
  { row: 'TLS', step: 'STARTTLS', answer: reply('NO what'), leads: 'TLS' },
  { row: 'TLS', step: 'TLS', answer: without('unfit'), leads: 'TLS' },
  { row: 'sign-in unfit', step: 'sign-in', answer: without('unfit'), leads: 'TLS' },
  { row: 'sign-in not now', step: 'sign-in', answer: reply('BYE busy'), leads: 'BUSY' },
  { row: 'sign-in not now', step: 'sign-in', answer: reply('NO [INUSE] x'), leads: 'BUSY' },
  { row: 'sign-in not now', step: 'sign-in', answer: reply('NO [SERVERBUG] x'), leads: 'BUSY' },
  { row: 'sign-in not now', step: 'sign-in', answer: reply('NO [LIMIT] x'), leads: 'BUSY' },
  ...[
    'NO x',
    'BAD x',
    'NO [AUTHENTICATIONFAILED] x',
    'NO [EXPIRED] x',
    'NO [PRIVACYREQUIRED] x',
    'NO [CONTACTADMIN] x',
    'NO [ALERT] x',
  ].map((line): Case => ({ row: 'sign-in refused', step: 'sign-in', answer: reply(line), leads: 'SIGN' })),
  { row: 'sign-in gone', step: 'sign-in', answer: without('cut'), leads: 'SIGN' },
  { row: 'signed out', step: 'APPEND', answer: reply('NO [AUTHORIZATIONFAILED] x'), leads: 'SIGN' },
  { row: 'labels refused', step: 'labels', answer: reply('NO no such label'), leads: 'ACT' },
  { row: 'labels unanswered', step: 'labels', answer: without('cut'), leads: 'LOST' },
  { row: 'folder room', step: 'create', answer: reply('NO [OVERQUOTA] x'), leads: 'ROOM' },
  { row: 'folder not now', step: 'folder', answer: reply('NO [UNAVAILABLE] x'), leads: 'BUSY' },
  { row: 'folder unfit', step: 'folder', answer: without('nonsense'), leads: 'TLS' },
  { row: 'look refused', step: 'look', answer: reply('NO x'), leads: 'BUSY' },
  ...['NO x', 'NO [NOPERM] x', 'NO [CANNOT] x', 'NO [NONEXISTENT] x', 'NO [TRYCREATE] x', 'NO [READ-ONLY] x'].map(
    (line): Case => ({ row: 'folder', step: 'folder', answer: reply(line), leads: 'ACT' }),
  ),
  { row: 'folder gone', step: 'look', answer: without('silence'), leads: 'DOWN' },
  { row: 'size', step: 'APPEND', answer: without('size'), leads: 'FORM' },
  ...['NO [OVERQUOTA] x', 'NO [LIMIT] x', 'NO Quota exceeded (mailbox for user is full)'].map((line): Case => ({
    row: 'room',
    step: 'APPEND',
    answer: reply(line),
    leads: 'ROOM',
  })),
  ...['NO [UNAVAILABLE] x', 'NO [INUSE] x', 'NO [SERVERBUG] x', 'BYE idle for too long'].map((line): Case => ({
    row: 'APPEND not now',
    step: 'APPEND',
    answer: reply(line),
    leads: 'BUSY',
  })),
  ...[
    'NO [TOOBIG] x',
    'NO Message contains invalid header',
    'NO Message contains NUL characters',
    'BAD message too large',
  ].map((line): Case => ({ row: 'form', step: 'APPEND', answer: reply(line), leads: 'FORM' })),
  ...['NO [NOPERM] x', 'NO [READ-ONLY] x', 'NO [TRYCREATE] x'].map((line): Case => ({
    row: 'APPEND forbidden',
    step: 'APPEND',
    answer: reply(line),
    leads: 'ACT',
  })),
  { row: 'refused', step: 'APPEND', answer: reply('BAD x'), leads: 'TEMP' },
  { row: 'refused again', step: 'APPEND', answer: reply('BAD x'), leads: 'BAD', in: { thirdTime: true } },
  { row: 'APPEND nonsense', step: 'APPEND', answer: without('nonsense'), leads: 'LOST', in: { handed: true } },
  { row: 'APPEND unanswered', step: 'APPEND', answer: without('cut'), leads: 'LOST', in: { handed: true } },
  { row: 'APPEND unanswered', step: 'APPEND', answer: reply('BYE x'), leads: 'LOST', in: { handed: true } },
  { row: 'cut', step: 'APPEND', answer: without('silence'), leads: 'CUT' },
]

describe('an answer of IMAP', () => {
  test.each(CASES)('at $step, $answer.kind $answer.status [$answer.code] $answer.text: $leads ($row)', (one) => {
    const concluded = concludeImap({ ...one.answer, step: one.step }, { ...NOTHING, ...one.in })
    expect(concluded).toMatchObject({ row: one.row, conclusion: one.leads })
  })

  test('has a case here for every row of the table', () => {
    expect(new Set(CASES.map(({ row }) => row))).toEqual(new Set(IMAP_TABLE.map(({ name }) => name)))
  })

  test('that names a pause in milliseconds is obeyed so long, not a thousand times as long', () => {
    const text = 'Request is throttled. Suggested Backoff Time: 92415 milliseconds'
    const answer = { step: 'APPEND', kind: 'reply', status: 'BAD', code: '', text } as const
    expect(concludeImap(answer, NOTHING).pauseMs).toBe(92_415)
    expect(concludeImap({ ...answer, text: 'Backoff Time: 30 sec' }, NOTHING).pauseMs).toBe(30_000)
  })

  test('is never a delivery: whatever comes, nothing leads to more than doubt', () => {
    const kinds = ['cut', 'silence', 'nonsense', 'unfit', 'size'] as const
    for (const step of [
      'connect',
      'greeting',
      'TLS',
      'sign-in',
      'folder',
      'create',
      'APPEND',
      'look',
      'labels',
    ] as const) {
      for (const answer of [...kinds.map(without), reply('NO x'), reply('BAD x'), reply('BYE x')]) {
        for (const handed of [false, true]) {
          const { conclusion, verdict } = concludeImap({ ...answer, step }, { ...NOTHING, handed })
          expect(Object.keys(MEANINGS)).toContain(conclusion)
          const mayBeThere =
            (step === 'APPEND' &&
              handed &&
              answer.status !== 'NO' &&
              answer.status !== 'BAD' &&
              answer.kind !== 'size') ||
            step === 'labels'
          expect(verdict === 'unknown', `${step} ${answer.kind} ${answer.status} ${handed}`).toBe(mayBeThere)
        }
      }
    }
  })
})
