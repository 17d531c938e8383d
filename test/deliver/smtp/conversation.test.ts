// Which replies keep a session in step.
import { describe, expect, test } from 'vitest'
import { Replies } from '../../../src/deliver/smtp/conversation.ts'

/** C: lines and S: replies, from the greeting on. */
function played(...lines: readonly string[]): Replies {
  const replies = new Replies()
  for (const line of lines) {
    if (line.startsWith('C: ')) replies.client(line.slice(3))
    else replies.server(line.slice(3))
  }
  return replies
}

const hello = ['S: 220 mx ESMTP', 'C: EHLO me', 'S: 250-mx\n250-PIPELINING\n250 SIZE 100']
const envelope = ['C: MAIL FROM:<a@x>', 'C: RCPT TO:<b@x>', 'C: DATA']

describe('Replies', () => {
  test('follows a whole session with STARTTLS, a sign-in in steps, pipelining and QUIT', () => {
    const secured = ['S: 220 mx', 'C: EHLO me', 'S: 250 STARTTLS', 'C: STARTTLS', 'S: 220 go', 'C: EHLO me']
    // The user name looks like a command.
    const signedIn = [
      'S: 250 AUTH LOGIN',
      'C: AUTH LOGIN',
      'S: 334 VXNl',
      'C: DATA',
      'S: 334 UGFz',
      'C: QUIT',
      'S: 235 in',
    ]
    const sent = [...envelope, 'S: 250 ok', 'S: 250 ok', 'S: 354 go on', 'S: 250 taken']
    const replies = played(...secured, ...signedIn, ...sent, 'C: RSET', 'S: 250 ok', 'C: QUIT', 'S: 221 bye')
    expect(replies.nonsense).toBeNull()
    expect(replies.refusal).toBeNull()
    expect(replies.waiting).toBeNull()
    expect(replies.offers).toBe('250 AUTH LOGIN')
  })

  test.each([
    ['an answer to DATA that takes it for done', ['S: 250 ok', 'S: 250 ok', 'S: 250 ok'], 'DATA'],
    ['a surplus reply, which makes the answer to RCPT that to DATA', ['S: 250 x', 'S: 250 ok', 'S: 250 ok'], 'DATA'],
    ['354 to MAIL', ['S: 354 go on'], 'MAIL'],
    ['a reply without a code', ['S: hello'], 'MAIL'],
    ['a reply with a code of two digits', ['S: 25 ok'], 'MAIL'],
    ['a reply with two codes', ['S: 250-one\n550 two'], 'MAIL'],
    ['354 to the message', ['S: 250 ok', 'S: 250 ok', 'S: 354 go', 'S: 354 go'], 'dot'],
    ['a reply after the last', ['S: 250 ok', 'S: 250 ok', 'S: 354 go', 'S: 250 taken', 'S: 250 taken'], null],
  ])('%s is nonsense', (_, replies, step) => {
    const { nonsense } = played(...hello, ...envelope, ...replies)
    expect(nonsense).toMatchObject({ step })
  })

  test.each([
    ['a greeting said twice', ['S: 220 mx', 'C: EHLO me', 'S: 220 mx'], 'EHLO'],
    ['a reply to EHLO taken for one to AUTH', [...hello, 'C: AUTH PLAIN x', 'S: 250 ok'], 'AUTH'],
    ['a reply during the TLS handshake', [...hello, 'C: STARTTLS', 'S: 220 go', 'S: 250 ok'], 'TLS'],
  ])('%s is nonsense', (_, lines, step) => {
    expect(played(...lines).nonsense).toMatchObject({ step })
  })

  test('421 that nobody asked for announces the end, and is no nonsense', () => {
    const replies = played(...hello, 'S: 421 closing')
    expect(replies.nonsense).toBeNull()
    expect(replies.refusal).toBeNull()
  })

  test('the first refusal of a pipelined transaction is the one that counts, until the next begins', () => {
    const replies = played(
      ...hello,
      ...envelope,
      'S: 250 ok',
      'S: 550-5.1.1 no\n550 5.1.1 such',
      'S: 503 no recipients',
    )
    expect(replies.refusal).toEqual({ step: 'RCPT', code: 550, text: '550-5.1.1 no\n550 5.1.1 such' })
    replies.begin()
    expect(replies.refusal).toBeNull()
  })

  test('the dot that ends a message without recipients has the answer that DATA promised', () => {
    const replies = played(...hello, ...envelope, 'S: 250 ok', 'S: 550 no', 'S: 354 go', 'C: .', 'S: 554 no recipients')
    expect(replies.nonsense).toBeNull()
    expect(replies.waiting).toBeNull()
  })
})
