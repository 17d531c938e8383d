// Every row of the table of SMTP's answers, by examples as servers write them, and what fits no row.
import { describe, expect, it } from 'vitest'
import { MEANINGS } from '../../../src/deliver/answers/conclusions.ts'
import {
  concludeSmtp,
  SMTP_TABLE,
  type SmtpAnswer,
  type SmtpCircumstances,
  type SmtpStep,
} from '../../../src/deliver/answers/smtp.ts'

const usual: SmtpCircumstances = {
  protocol: 'smtp',
  filled: false,
  handed: false,
  ownSender: false,
  othersOpen: false,
  used: false,
  probe: null,
}

function answer(step: SmtpStep, what: string): SmtpAnswer {
  const code = Number(/^\d{3}/.exec(what)?.[0] ?? 0)
  if (code !== 0) return { step, kind: 'reply', code, text: what }
  const kinds = ['nonsense', 'cut', 'silence', 'unfit', 'size', 'permission'] as const
  const kind = kinds.find((name) => name === what)
  if (kind === undefined) throw new Error(what)
  return { step, kind, code: 0, text: what }
}

type Example = readonly [
  row: string,
  step: SmtpStep,
  what: string,
  leads: string,
  circumstances?: Partial<SmtpCircumstances>,
]

const examples: readonly Example[] = [
  ['too many connections', 'greeting', '421 4.7.0 Too many connections', 'TEMP', { othersOpen: true }],
  ['too many connections', 'AUTH', '432 4.3.2 Concurrent connections limit exceeded', 'TEMP', { othersOpen: true }],
  ['too many connections', 'MAIL', '450 too many concurrent SMTP connections', 'TEMP', { othersOpen: true }],
  ['open refused', 'greeting', '421 4.7.0 Too many connections', 'BUSY'],
  ['open permission', 'connect', 'permission', 'ACT'],
  ['open gone', 'connect', 'cut', 'DOWN'],
  ['open gone', 'EHLO', 'silence', 'DOWN'],
  ['open not SMTP', 'greeting', 'nonsense', 'TLS'],
  ['open refused', 'greeting', '554 no service for you', 'BUSY'],
  ['open refused', 'EHLO', '521 does not take mail', 'BUSY'],
  ['open not LMTP', 'EHLO', '500 5.5.1 unknown command', 'TLS', { protocol: 'lmtp' }],
  ['RCPT unfit', 'RCPT', 'unfit', 'RCPT'],
  ['TLS not now', 'STARTTLS', '454 4.3.0 TLS not available', 'BUSY'],
  ['TLS', 'STARTTLS', '502 5.5.1 no', 'TLS'],
  ['TLS', 'TLS', 'unfit', 'TLS'],
  ['TLS', 'TLS', 'cut', 'TLS'],
  ['AUTH unfit', 'AUTH', 'unfit', 'TLS'],
  ['AUTH not now', 'AUTH', '454 4.7.0 Temporary authentication failure', 'BUSY'],
  ['AUTH refused', 'AUTH', '535 5.7.8 wrong', 'SIGN'],
  ['AUTH gone', 'AUTH', 'cut', 'SIGN'],
  ['used connection', 'MAIL', '421 4.4.2 timeout exceeded', 'BUSY', { used: true }],
  ['used connection', 'RSET', 'cut', 'CUT', { used: true }],
  ['sign in first', 'MAIL', '530 5.7.0 Authentication required', 'SIGN'],
  ['sign in first', 'RCPT', '550 5.7.57 client not authenticated', 'SIGN'],
  ['sign in first', 'MAIL', '503 5.5.1 authenticate first', 'SIGN'],
  ['out of step', 'RCPT', '503 5.5.1 bad sequence', 'TLS'],
  ['out of step', 'dot', '503 bad sequence', 'TLS'],
  ['size', 'MAIL', 'size', 'FORM'],
  ['size', 'dot', '552 5.3.4 Message too big', 'FORM'],
  ['size', 'DATA', '552 message size exceeds fixed limit', 'FORM'],
  ['loop', 'dot', '554 5.4.6 Too many hops', 'FORM'],
  ['loop', 'dot', '554 mail loop detected', 'FORM'],
  ['author not now', 'dot', '451 4.7.26 Unauthenticated email', 'TEMP'],
  ['greylist', 'RCPT', '450 4.2.0 Greylisted for 300 seconds', 'TEMP'],
  ['greylist', 'RCPT', '421 you are gray-listed', 'TEMP'],
  ['sender', 'MAIL', '553 5.7.1 <a@b>: Sender address rejected: not owned by user', 'SENDER'],
  ['sender', 'MAIL', '450 4.1.8 <a@b>: Sender address rejected: Domain not found', 'SENDER'],
  ['sender', 'MAIL', '504 5.5.2 <a>: Sender address rejected: need fully-qualified address', 'SENDER'],
  ['envelope form', 'MAIL', '554 5.6.3 8BITMIME not supported', 'FORM'],
  ['sender unwanted', 'MAIL', '550 5.7.0 sender blocked', 'BAD'],
  ['room', 'RCPT', '552 5.2.2 mailbox full', 'ROOM'],
  ['room', 'dot', '452 insufficient system storage', 'ROOM'],
  ['room', 'MAIL', '452 4.3.1 Insufficient system storage', 'ROOM'],
  ['mailbox off', 'RCPT', '550 5.2.1 mailbox disabled', 'RCPT'],
  ['mailbox off', 'RCPT', '550 5.4.1 Recipient address rejected: Access denied', 'RCPT'],
  ['not now', 'dot', '550 5.4.5 Daily sending quota exceeded', 'BUSY'],
  ['not now', 'MAIL', '421 4.7.28 unusual rate', 'BUSY'],
  ['not now', 'dot', '550 5.7.28 rate', 'BUSY'],
  ['not now', 'dot', '451 slow down, try again in 10 minutes', 'BUSY'],
  ['not now', 'RCPT', '550 5.1.90 daily recipients', 'BUSY'],
  ['not now', 'dot', '554 5.2.0 STOREDRV; SubmissionQuotaExceededException', 'BUSY'],
  ['recipient', 'RCPT', '550 5.1.1 no such user', 'RCPT'],
  ['recipient', 'RCPT', '551 not local', 'RCPT'],
  ['recipient', 'MAIL', '550 5.1.0 address rejected', 'BUSY'],
  ['own sender refused', 'RCPT', '554 5.7.1 relay access denied', 'RCPT', { ownSender: true }],
  ['own sender refused', 'MAIL', '553 no', 'BUSY', { ownSender: true }],
  ['refused, whoever sends', 'RCPT', '554 5.7.1 relay access denied', 'RCPT', { probe: 'equal' }],
  ['refused, others taken', 'RCPT', '554 5.7.1 rejected', 'BAD', { probe: 'taken' }],
  ['refused, others taken', 'MAIL', '450 4.7.1 later', 'TEMP', { probe: 'taken' }],
  ['envelope', 'RCPT', '554 5.7.1 relay access denied', 'TEMP', { probe: 'else' }],
  ['envelope', 'RCPT', '554 5.7.1 relay access denied', 'TEMP'],
  ['content not now', 'dot', '451 4.7.1 try later', 'TEMP'],
  ['form', 'dot', '554 5.6.0 bad message', 'FORM'],
  ['form', 'dot', '550 5.7.1 message is not RFC 5322 compliant', 'FORM'],
  ['form', 'dot', '521 5.5.2 error', 'FORM'],
  ['LMTP recipient', 'dot', '550 5.1.1 unknown', 'RCPT', { protocol: 'lmtp' }],
  ['content', 'dot', '554 5.7.1 spam message', 'BAD'],
  ['content', 'dot', '550 (#5.7.1)', 'BAD'],
  ['dot nonsense', 'dot', 'nonsense', 'LOST'],
  ['dot nonsense', 'DATA', 'nonsense', 'LOST'],
  ['dot unanswered', 'dot', 'cut', 'LOST', { handed: true }],
  ['dot unanswered', 'dot', 'silence', 'LOST', { handed: true }],
  ['cut', 'dot', 'cut', 'CUT'],
  ['cut', 'RCPT', 'silence', 'CUT'],
]

describe('an answer of SMTP', () => {
  const asked = examples.map(([row, step, what, leads, circumstances = {}]) => ({
    row,
    step,
    what,
    leads,
    circumstances,
  }))

  it.each(asked)('$row: at $step "$what" is $leads', ({ row, step, what, leads, circumstances }) => {
    const { conclusion, row: decided } = concludeSmtp(answer(step, what), { ...usual, ...circumstances })
    expect({ row: decided, conclusion }).toEqual({ row, conclusion: leads })
  })

  it('has an example for every row', () => {
    const shown = new Set(examples.map(([row]) => row))
    expect(SMTP_TABLE.map(({ name }) => name).filter((name) => !shown.has(name))).toEqual([])
  })

  it('that fits no row is about the message and temporary, and none but an acceptance is a delivery', () => {
    expect(concludeSmtp(answer('QUIT', '550 no'), usual)).toMatchObject({ conclusion: 'TEMP', row: 'unknown' })
    expect(Object.values(MEANINGS).map(({ verdict }) => verdict as string)).not.toContain('done')
  })

  it.each([
    ['450 4.2.0 greylisted, try again in 5 minutes', 300_000],
    ['451 greylisted for 00:04:59', 299_000],
    ['421 Suggested Backoff Time: 3600', 3_600_000],
    ['450 please retry after 90s', 90_000],
    ['550 5.1.1 user 5 m unknown', 0],
  ])('"%s" asks for a pause of %i ms', (text, pauseMs) => {
    expect(concludeSmtp(answer('RCPT', text), usual).pauseMs).toBe(pauseMs)
  })

  it('speaks of us, not of the message, where its code says so', () => {
    expect(concludeSmtp(answer('dot', '550 5.7.60 client may not send as this sender'), usual).aboutUs).toBe(true)
    expect(concludeSmtp(answer('dot', '550 5.7.708 traffic not accepted from this IP'), usual).aboutUs).toBe(true)
    expect(concludeSmtp(answer('dot', '554 5.7.1 spam'), usual).aboutUs).toBe(false)
  })

  it('is equal to another by its codes, and without an enhanced one by its words, whatever addresses and numbers they name', () => {
    const same = (text: string): string => concludeSmtp(answer('dot', text), usual).same
    expect(same('550 5.7.1 <a@example.org> no')).toBe(same('550 5.7.1 <b@example.org> never'))
    expect(same('550 message 17 of a@example.org refused')).toBe(same('550 message 18 of b@example.org refused'))
    expect(same('550 message refused')).not.toBe(same('550 policy'))
  })

  it('of spam is never wrapped; one of form or author is', () => {
    expect(concludeSmtp(answer('dot', '554 5.7.1 spam message'), usual)).toMatchObject({ spam: true, wrap: null })
    expect(concludeSmtp(answer('dot', '550 5.7.26 unauthenticated sender, spam'), usual)).toMatchObject({
      spam: false,
      wrap: 'author',
    })
    expect(concludeSmtp(answer('dot', '554 5.6.0 missing Date header'), usual)).toMatchObject({ wrap: 'form' })
  })
})

it.each([
  ['RCPT', '550 5.1.1 no such user', 'BAD'],
  ['RCPT', '450 4.2.1 busy', 'TEMP'],
  ['RCPT', '550 5.2.1 disabled', 'BAD'],
  ['RCPT', '552 5.2.2 mailbox full', 'TEMP'],
  ['dot', '552 5.2.2 mailbox full', 'TEMP'],
  ['MAIL', '452 4.3.1 no space', 'ROOM'],
] as const)('at %s, "%s" of a recipient that only this message has is %s, and is not counted', (step, what, leads) => {
  const found = concludeSmtp(answer(step, what), { ...usual, filled: true, ownSender: true })
  expect(found.conclusion).toBe(leads)
  if (leads !== 'ROOM') expect([found.scope, found.counts]).toEqual(['message', false])
})
