import { describe, expect, it } from 'vitest'
import { command, saslLine } from '../../../src/pop3/wire/command.ts'

describe('a command', () => {
  it.each([
    [command('CAPA'), 'CAPA\r\n'],
    [command('RETR', 7), 'RETR 7\r\n'],
    [command('TOP', 7, 0), 'TOP 7 0\r\n'],
    [command('USER', 'a user'), 'USER a user\r\n'],
    [command('AUTH', 'PLAIN', 'AGEAYg=='), 'AUTH PLAIN AGEAYg==\r\n'],
  ])('is one line: %#', ({ bytes }, line) => {
    expect(bytes.toString('latin1')).toBe(line)
  })

  it('takes a password as it is, neither trimmed nor quoted (P074)', () => {
    expect(command('PASS', ' p"a\\ %s ').bytes.toString('latin1')).toBe('PASS  p"a\\ %s \r\n')
    expect(command('PASS', 'pässwörd').bytes).toEqual(Buffer.from('PASS pässwörd\r\n'))
    expect(command('PASS', Buffer.from([0xe4, 0xff])).bytes).toEqual(Buffer.from('PASS \xe4\xff\r\n', 'latin1'))
  })

  it.each(['x\r\nDELE 1', 'x\n', 'x\r', '\0', 'x\0y'])(
    'refuses an argument that would begin another one: %j (P073)',
    (bad) => {
      for (const verb of ['PASS', 'USER', 'RETR'] as const) {
        expect(() => command(verb, bad)).toThrow(expect.objectContaining({ code: 'ERR_CONFIG', retry: 'never' }))
        expect(() => command(verb, Buffer.from(bad))).toThrow(expect.objectContaining({ code: 'ERR_CONFIG' }))
      }
      expect(() => command('PASS', bad)).toThrow(/^the password holds a line break/)
      expect(() => command('PASS', 'hunter2\r\n')).toThrow(expect.not.objectContaining({ message: /hunter2/ }))
    },
  )

  it.each([
    [command('PASS', 'hunter2'), 'PASS ****'],
    [command('AUTH', 'PLAIN', 'AGEAYg=='), 'AUTH PLAIN ****'],
    [command('AUTH', 'LOGIN'), 'AUTH LOGIN'],
    [command('USER', 'alice'), 'USER alice'],
    [command('TOP', 3, 0), 'TOP 3 0'],
    [command('USER', 'a\u001b[2J\u202e'), 'USER a\\x1b[2J\\u{202e}'],
  ])('is shown without what is secret, and without what could act on a terminal: %#', ({ shown }, text) => {
    expect(shown).toBe(text)
  })

  it('knows when its answer has several lines', () => {
    expect(command('LIST').multiline).toBe(true)
    expect(command('LIST', 1).multiline).toBe(false)
    expect(command('UIDL').multiline).toBe(true)
    expect(command('UIDL', 1).multiline).toBe(false)
    expect(command('RETR', 1).multiline).toBe(true)
    expect(command('TOP', 1, 0).multiline).toBe(true)
    expect(command('CAPA').multiline).toBe(true)
    expect(command('STAT').multiline).toBe(false)
  })
})

describe('a line of a SASL exchange', () => {
  it('is base64, or a star that cancels (P068)', () => {
    expect(saslLine(Buffer.from('\0a\0b')).toString('latin1')).toBe('AGEAYg==\r\n')
    expect(saslLine(Buffer.alloc(0)).toString('latin1')).toBe('\r\n')
    expect(saslLine('*').toString('latin1')).toBe('*\r\n')
  })
})
