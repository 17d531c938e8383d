// What holds for every answer of SMTP, whatever its words: generated from steps, codes, enhanced codes and circumstances. And the
// neighbours of rows: answers that look alike and mean something else.
import { describe, expect, it } from 'vitest'
import type { Concluded } from '../../../src/deliver/answers/conclusions.ts'
import {
  concludeSmtp,
  type SmtpAnswer,
  type SmtpCircumstances,
  type SmtpStep,
} from '../../../src/deliver/answers/smtp.ts'

const STEPS: readonly SmtpStep[] = [
  'connect',
  'greeting',
  'EHLO',
  'STARTTLS',
  'TLS',
  'AUTH',
  'MAIL',
  'RCPT',
  'DATA',
  'dot',
  'RSET',
  'QUIT',
]
const CODES = [421, 432, 450, 451, 452, 454, 500, 501, 503, 504, 521, 530, 535, 550, 551, 552, 553, 554]
const DETAILS = [
  '0.0',
  '1.0',
  '1.1',
  '1.7',
  '1.8',
  '2.0',
  '2.1',
  '2.2',
  '2.3',
  '3.0',
  '3.1',
  '3.4',
  '4.1',
  '4.5',
  '4.6',
  '5.2',
  '6.0',
  '6.3',
  '7.0',
  '7.1',
  '7.26',
  '7.28',
  '7.57',
  '7.60',
  '7.708',
]
const WORDS = [
  'no',
  'greylisted',
  'spam',
  'missing Date header',
  'sender blocked',
  'too many connections',
  'size exceeds limit',
  'retry after 30 s',
]
const GONE = ['nonsense', 'cut', 'silence', 'unfit', 'size', 'permission'] as const

const usual: SmtpCircumstances = {
  protocol: 'smtp',
  filled: false,
  handed: false,
  ownSender: false,
  othersOpen: false,
  used: false,
  probe: null,
}
const CIRCUMSTANCES: readonly SmtpCircumstances[] = [
  usual,
  { ...usual, protocol: 'lmtp' },
  { ...usual, ownSender: true },
  { ...usual, othersOpen: true },
  { ...usual, used: true },
  { ...usual, used: true, othersOpen: true },
  { ...usual, probe: 'taken' },
  { ...usual, probe: 'equal' },
  { ...usual, probe: 'else' },
]

interface Case {
  readonly answer: SmtpAnswer
  readonly circumstances: SmtpCircumstances
  readonly told: Concluded
}

function* cases(): Generator<Case> {
  for (const circumstances of CIRCUMSTANCES) {
    for (const step of STEPS) {
      const handed = step === 'dot'
      const asked = { ...circumstances, handed }
      const make = (answer: SmtpAnswer): Case => ({ answer, circumstances: asked, told: concludeSmtp(answer, asked) })
      for (const kind of GONE) yield make({ step, kind, code: 0, text: kind })
      for (const code of CODES) {
        for (const detail of DETAILS)
          yield make({ step, kind: 'reply', code, text: `${code} ${Math.trunc(code / 100)}.${detail} no` })
        for (const words of WORDS) yield make({ step, kind: 'reply', code, text: `${code} ${words}` })
      }
    }
  }
}

/** The cases for which `isWrong` holds, a few of them, as text. */
function wrong(isWrong: (each: Case) => boolean): readonly string[] {
  const found: string[] = []
  for (const each of cases()) {
    const { answer, told } = each
    if (isWrong(each)) found.push(`${answer.step} ${answer.kind} ${answer.text}: ${told.row} ${told.conclusion}`)
  }
  return found.slice(0, 5)
}

const isReply = ({ answer }: Case): boolean => answer.kind === 'reply'

describe('every answer of SMTP', () => {
  it('that is a reply leaves nothing unknown: it is no, or not now', () => {
    expect(wrong((each) => isReply(each) && each.told.verdict === 'unknown')).toEqual([])
  })

  it('is unknown only where a whole message was handed over, or was answered otherwise than with yes or no', () => {
    const may = ({ answer: { step, kind } }: Case): boolean =>
      (step === 'dot' && (kind === 'cut' || kind === 'silence' || kind === 'nonsense')) ||
      (step === 'DATA' && kind === 'nonsense')
    expect(wrong((each) => (each.told.verdict === 'unknown') !== may(each))).toEqual([])
  })

  it('of 4xx refuses no message, but for its size or its way in circles', () => {
    expect(
      wrong(
        ({ answer, told }) =>
          answer.code >= 400 &&
          answer.code < 500 &&
          told.verdict === 'refused' &&
          told.row !== 'size' &&
          told.row !== 'loop',
      ),
    ).toEqual([])
  })

  it('before MAIL blames no message', () => {
    const early = new Set<SmtpStep>(['connect', 'greeting', 'EHLO', 'STARTTLS', 'TLS', 'AUTH'])
    expect(
      wrong(
        ({ answer, told }) =>
          early.has(answer.step) &&
          told.scope !== 'destination' &&
          told.atOnce !== 'fewer-connections' &&
          told.row !== 'unknown',
      ),
    ).toEqual([])
  })

  it('at MAIL blames no recipient, since none was named', () => {
    expect(wrong(({ answer, told }) => answer.step === 'MAIL' && told.scope === 'recipient')).toEqual([])
  })

  it('is tried again from our own sender, or asked about, only where that is something new', () => {
    expect(
      wrong(
        ({ circumstances, told }) =>
          (told.atOnce === 'own-sender' || told.atOnce === 'probe') &&
          (circumstances.ownSender || (told.atOnce === 'probe' && circumstances.probe !== null)),
      ),
    ).toEqual([])
  })

  it('is tried again elsewhere only before its content, on a used connection or beside others', () => {
    expect(
      wrong(
        ({ answer, circumstances, told }) =>
          (told.atOnce === 'new-connection' &&
            (!circumstances.used || answer.step === 'DATA' || answer.step === 'dot')) ||
          (told.atOnce === 'fewer-connections' && !circumstances.othersOpen),
      ),
    ).toEqual([])
  })

  it('is wrapped only where it refuses a message, and never as spam', () => {
    expect(wrong(({ told }) => told.wrap !== null && (told.verdict !== 'refused' || told.spam))).toEqual([])
  })

  it('counts in a row only where it is about a message, and not for its form', () => {
    expect(wrong(({ told }) => told.counts && told.conclusion !== 'TEMP' && told.conclusion !== 'BAD')).toEqual([])
  })
})

describe('neighbours', () => {
  const told = (step: SmtpStep, text: string, more: Partial<SmtpCircumstances> = {}): string => {
    const { conclusion, scope } = concludeSmtp(
      { step, kind: 'reply', code: Number(text.slice(0, 3)), text },
      { ...usual, ...more },
    )
    return `${conclusion} ${scope}`
  }

  it.each([
    ['RCPT', '552 5.2.2 mailbox exceeds its storage quota', 'ROOM recipient'],
    ['dot', '552 5.2.2 mailbox size limit exceeded', 'ROOM recipient'],
    ['dot', '552 mailbox exceeds quota', 'ROOM destination'],
    ['dot', '552 5.7.0 message size exceeds limit', 'FORM message'],
    ['dot', '452 4.3.1 insufficient system storage', 'ROOM destination'],
    ['MAIL', '452 4.2.2 over quota', 'ROOM destination'],
    ['MAIL', '554 5.7.1 <x@y.example>: Sender address rejected: Access denied', 'BAD message'],
    ['MAIL', '550 5.7.1 relaying denied from your domain', 'TEMP message'],
    ['RCPT', '550 5.7.1 recipient domain rejected', 'TEMP message'],
    ['MAIL', '554 5.7.1 sender host blocked by zen.spamhaus.org', 'TEMP message'],
    ['MAIL', '550 5.7.1 Client does not have permissions to send as this sender', 'SENDER sender'],
    ['RCPT', '450 4.2.0 grey listed', 'TEMP message'],
    ['RCPT', '450 4.7.1 Greylisting in action', 'TEMP message'],
    ['dot', '550 5.7.26 not authenticated', 'BAD message'],
    ['dot', '421 4.7.26 not authenticated', 'TEMP message'],
    ['dot', '421 4.7.0 closing', 'BUSY destination'],
    ['dot', '550 5.4.1 no', 'BUSY destination'],
    ['RCPT', '450 4.4.1 no', 'BUSY destination'],
    ['dot', '550-5.7.1 one\n550 5.7.1 two', 'BAD message'],
    ['dot', '554 no such user (#5.1.1)', 'BAD message'],
    ['RCPT', '554 no such user (#5.1.1)', 'RCPT recipient'],
    ['RCPT', '550 5.0.0 no such user', 'TEMP message'],
  ] as const)('at %s "%s" is %s', (step, text, expected) => {
    expect(told(step, text)).toBe(expected)
  })

  it('are not equal by chance, and equal where only names, numbers and times differ', () => {
    const same = (text: string): string => concludeSmtp({ step: 'dot', kind: 'reply', code: 451, text }, usual).same
    expect(same('451 failed, id a1b2c3 at 12:03:04')).toBe(same('451 failed, id ff09x7 at 13:00:00'))
    expect(same('451 <a@b.example> failed')).toBe(same('451 <c@d.example> failed'))
    expect(same('451 4.3.0 failed')).not.toBe(same('451 4.3.0 busy'))
    expect(same('451 4.7.1 failed')).toBe(same('451 4.7.1 busy'))
  })
})
