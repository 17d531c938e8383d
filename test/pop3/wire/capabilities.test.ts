import { describe, expect, it } from 'vitest'
import { parseCapabilities } from '../../../src/pop3/wire/capabilities.ts'

const latin1 = (text: string): Buffer => Buffer.from(text, 'latin1')

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
