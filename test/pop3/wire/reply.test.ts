import { describe, expect, it } from 'vitest'
import { farewell, isBusy, refusedSignIn, replyError } from '../../../src/pop3/wire/reply-error.ts'
import { codeIs, parseCapabilities, parseReply } from '../../../src/pop3/wire/reply.ts'

const latin1 = (text: string): Buffer => Buffer.from(text, 'latin1')

describe('a status line', () => {
  it.each([
    ['+OK', 'ok', ''],
    ['+OK ', 'ok', ''],
    ['+OK POP3 ready', 'ok', 'POP3 ready'],
    ['+ok hi', 'ok', 'hi'],
    ['+OK\thi', 'ok', 'hi'],
    ['+OK   hi  ', 'ok', 'hi  '],
    ['-ERR', 'err', ''],
    ['-err no', 'err', 'no'],
    ['-ERR\tno', 'err', 'no'],
    ['+', 'continue', ''],
    ['+ ', 'continue', ''],
    ['+ VXNlcm5hbWU6', 'continue', 'VXNlcm5hbWU6'],
  ])('%j is understood (P023, P064)', (line, status, text) => {
    expect(parseReply(latin1(line))).toMatchObject({ status, text })
  })

  it.each([
    ['', ''],
    ['+OKAY', ''],
    ['+OK\0', ''],
    ['-ERROR', ''],
    ['OK', ''],
    [' +OK', ''],
    ['*', ''],
    ['HTTP/1.1 400 Bad Request', 'web server or a captive portal'],
    ['220 mx.example.org ESMTP', 'SMTP server'],
    ['* OK IMAP4rev1 ready', 'IMAP server'],
    ['* BYE', 'IMAP server'],
    ['SSH-2.0-OpenSSH_9.9', 'SSH server'],
  ])('%j is no POP3 answer, and what it is is said (P021, P024)', (line, hint) => {
    expect(() => parseReply(latin1(line))).toThrow(
      expect.objectContaining({ code: 'ERR_POP3_PROTOCOL', message: expect.stringContaining(hint) }),
    )
  })

  it('is shown cut and escaped when it is none (P021, P026)', () => {
    expect(() => parseReply(latin1(`HTTP\x1b]0;x\x07${'y'.repeat(500)}`))).toThrow(/"HTTP\\x1b]0;x\\x07y{60,70}…"/)
  })

  it('keeps its bytes for machines and shows them safely to people (P026, P157)', () => {
    const reply = parseReply(latin1('-ERR \xb5\xc7\x1b[2J'))
    expect(reply.rest).toEqual(latin1('\xb5\xc7\x1b[2J'))
    expect(reply.text).toBe('\\xb5\\xc7\\x1b[2J')
  })
})

describe('a response code', () => {
  it.each([
    ['-ERR [IN-USE] locked', 'IN-USE'],
    ['-ERR [in-use] locked', 'IN-USE'],
    ['-ERR [SYS/TEMP] x', 'SYS/TEMP'],
    ['-ERR [SYS/TEMP/FOO] x', 'SYS/TEMP/FOO'],
    ['-ERR [AUTH]', 'AUTH'],
    ['-ERR [LOGIN-DELAY] wait', 'LOGIN-DELAY'],
    ['-ERR [REFERRAL/alice@other.example] go there', 'REFERRAL/ALICE@OTHER.EXAMPLE'],
    ['-ERR [X/Y/Z] unknown root', null],
    ['-ERR [AUTHENTICATION] unknown root', null],
    ['-ERR [] x', null],
    ['-ERR [ x', null],
    ['-ERR mail [AUTH] x', null],
    ['-ERR x', null],
    ['+OK [IN-USE] x', null],
  ])('of %j is %j (P041)', (line, code) => {
    expect(parseReply(latin1(line)).code).toBe(code)
  })

  it('counts as its parent, and only as a whole word', () => {
    expect(codeIs('SYS/TEMP/FOO', 'SYS/TEMP')).toBe(true)
    expect(codeIs('SYS/TEMPORARY', 'SYS/TEMP')).toBe(false)
    expect(codeIs(null, 'SYS')).toBe(false)
  })
})

describe('capabilities', () => {
  it('are tokens, whatever their case, blanks and repetition (P034)', () => {
    const { names, sasl } = parseCapabilities(
      latin1(
        'TOP\r\nuidl\r\n  Pipelining  \r\n\tRESP-CODES\t\r\nXNOSTLS\r\nSASL\r\nSASL PLAIN\tlogin\r\nsasl scram-sha-1\r\nAUTH=CRAM-MD5\r\nTOP\r\nIMPLEMENTATION Some STLS Server\r\n\r\n',
      ),
    )
    expect([...names]).toEqual([
      'TOP',
      'UIDL',
      'PIPELINING',
      'RESP-CODES',
      'XNOSTLS',
      'SASL',
      'AUTH=CRAM-MD5',
      'IMPLEMENTATION',
    ])
    expect([...sasl]).toEqual(['PLAIN', 'LOGIN', 'SCRAM-SHA-1', 'CRAM-MD5'])
  })

  it.each([
    ['LOGIN-DELAY 300', 300, null],
    ['LOGIN-DELAY 0', 0, null],
    ['LOGIN-DELAY 900 USER', 900, null],
    ['LOGIN-DELAY 99999999999', null, null],
    ['LOGIN-DELAY -1', null, null],
    ['LOGIN-DELAY', null, null],
    ['EXPIRE 0', null, 0],
    ['EXPIRE 31 USER', null, 31],
    ['EXPIRE NEVER', null, null],
  ])('%j is understood or ignored (P039)', (line, loginDelaySeconds, expireDays) => {
    expect(parseCapabilities(latin1(`${line}\r\n`))).toMatchObject({ loginDelaySeconds, expireDays })
  })

  it('are a hundred lines at most, each safe to print (P033)', () => {
    const { names, lines } = parseCapabilities(latin1('X\x1b[2J\xe4\r\n'.repeat(100) + 'STLS\r\n'))
    expect(lines).toEqual(Array<string>(100).fill('X\\x1b[2J\\xe4'))
    expect(names.has('STLS')).toBe(false)
  })
})

describe('a refused sign-in', () => {
  const refused = (line: string) => refusedSignIn('user', parseReply(latin1(line)))

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

describe('another refusal', () => {
  it('is busy by its code, or by its words when it has none (P059)', () => {
    expect(isBusy(parseReply(latin1('-ERR [SYS/TEMP] x')))).toBe(true)
    expect(isBusy(parseReply(latin1('-ERR [SYS/PERM] busy')))).toBe(false)
    expect(isBusy(parseReply(latin1('-ERR Exceeded the login limit')))).toBe(true)
    expect(isBusy(parseReply(latin1('-ERR unknown command')))).toBe(false)
  })

  it('names what was tried and asks for the pause that the server wants', () => {
    const limited = parseReply(latin1('-ERR Exceeded the login limit for a 15 minute period'))
    expect(replyError('LIST', limited)).toMatchObject({
      code: 'ERR_POP3_REPLY',
      message: 'the server refused LIST: "Exceeded the login limit for a 15 minute period"',
      retry: 'later',
      pauseMs: 900_000,
    })
    expect(replyError('LIST', parseReply(latin1('-ERR [SYS/TEMP] x')))).toMatchObject({ retry: 'soon', pauseMs: 0 })
    expect(farewell(parseReply(latin1('-ERR [IN-USE] x')))).toMatchObject({ code: 'ERR_POP3_REPLY', pauseMs: 180_000 })
  })
})
