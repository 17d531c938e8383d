import { describe, expect, it } from 'vitest'
import { refusedSignIn } from '../../../src/pop3/sign-in/refusal.ts'
import { parseReply } from '../../../src/pop3/wire/reply.ts'

describe('a refused sign-in', () => {
  const refused = (line: string) =>
    refusedSignIn('user', parseReply(Buffer.from(line, 'latin1')), {
      advice: 'check it',
      complaint: null,
      secure: true,
    })

  it.each([
    '-ERR',
    '-ERR [AUTH] invalid user name or password',
    '-ERR Logon failure: unknown user name or bad password.',
    '-ERR Authentication failed, please try again.',
    '-ERR [AUTH] too many tries, wait',
    '-ERR [SYS/PERM] Your account is not enabled for POP access',
    '-ERR Lockdown in Sector 4',
    '-ERR [XAUTH] no',
  ])('%j is about the credentials (P052, P054, P079)', (line) => {
    expect(refused(line)).toMatchObject({ code: 'ERR_AUTH', scope: 'account', retry: 'later' })
  })

  it.each([
    ['-ERR [IN-USE] locked', 180_000],
    ['-ERR [LOGIN-DELAY] too soon', 60_000],
    ['-ERR [SYS/TEMP] later', 0],
    ['-ERR [SYS/TEMP/DISK] later', 0],
    ['-ERR mailbox is locked by another session', 0],
    ['-ERR maildrop lock busy', 0],
    ['-ERR server busy', 0],
    ['-ERR please wait', 0],
    ['-ERR maildrop in use', 0],
    ['-ERR service unavailable', 0],
    ['-ERR Too many open connections', 900_000],
    ['-ERR Exceeded the login limit for a 15 minute period. Reduce the frequency', 900_000],
    ['-ERR Too many simultaneous connections.', 900_000],
    ['-ERR try again later', 0],
  ])('%j is not (P055–P060)', (line, pauseMs) => {
    expect(refused(line)).toMatchObject({ code: 'ERR_POP3_REPLY', scope: 'account', pauseMs })
  })

  it('quotes the server, escaped and cut (P060)', () => {
    expect(refused(`-ERR https://example.org/\x1b[2J${'x'.repeat(5000)}`).message).toMatch(
      /"https:\/\/example\.org\/\\x1b\[2Jx{100,200}…"/,
    )
  })
})
