import { describe, expect, it } from 'vitest'
import { codeIs, parseReply } from '../../../src/pop3/wire/reply.ts'

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
