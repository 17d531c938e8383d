import { describe, expect, it } from 'vitest'
import {
  chooseMechanism,
  type MechanismChoice,
  mechanismNamed,
  PASSWORD_MECHANISMS,
  TOKEN_MECHANISMS,
} from '../../../src/pop3/sign-in/mechanisms.ts'
import type { Credentials } from '../../../src/pop3/sign-in/mechanism.ts'
import { type Capabilities, parseCapabilities } from '../../../src/pop3/wire/capabilities.ts'

const password = { user: 'alice', password: 'secret' }
const token = { user: 'alice', token: 'ya29.a0' }
const chosen = (choice: MechanismChoice, capabilities: Capabilities, credentials: Credentials): string =>
  chooseMechanism(choice, capabilities, credentials).name

describe('the choice of a mechanism', () => {
  const capabilities = (...lines: readonly string[]) => parseCapabilities(Buffer.from(lines.join('\r\n')))

  it.each([
    ['SASL LOGIN PLAIN SCRAM-SHA-1 SCRAM-SHA-256', 'scram-sha-256'],
    ['SASL LOGIN PLAIN SCRAM-SHA-1 SCRAM-SHA-256-PLUS', 'scram-sha-1'],
    ['SASL LOGIN PLAIN CRAM-MD5 XOAUTH2', 'plain'],
    ['SASL LOGIN CRAM-MD5', 'login'],
    ['SASL XOAUTH2', 'user'],
    ['SASL CRAM-MD5', 'user'],
    ['SASL', 'user'],
    ['USER', 'user'],
    ['', 'user'],
    ['auth=plain', 'plain'],
  ])('is the best of what is offered for a password: %j', (line, name) => {
    expect(chosen('auto', capabilities(line), password)).toBe(name)
  })

  it.each([
    ['SASL PLAIN XOAUTH2 OAUTHBEARER', 'xoauth2'],
    ['SASL PLAIN OAUTHBEARER', 'oauthbearer'],
    ['', 'xoauth2'],
  ])('is for a token one that takes tokens: %j', (line, name) => {
    expect(chosen('auto', capabilities(line), token)).toBe(name)
  })

  it('never sends a token as a password', () => {
    expect(() => chosen('auto', capabilities('USER', 'SASL PLAIN'), token)).toThrow(
      expect.objectContaining({ code: 'ERR_MECHANISM', retry: 'never' }),
    )
  })

  it('takes what was asked for by name when nothing is listed: the answer to the command wins (P038)', () => {
    expect(chosen('plain', capabilities(), password)).toBe('plain')
    expect(chosen('login', capabilities('USER'), password)).toBe('login')
    expect(chosen('scram-sha-256', capabilities('USER'), password)).toBe('scram-sha-256')
  })

  it('is refused when other mechanisms are listed and not that one (P070)', () => {
    expect(() => chosen('scram-sha-256', capabilities('SASL PLAIN LOGIN'), password)).toThrow(
      expect.objectContaining({
        code: 'ERR_MECHANISM',
        retry: 'never',
        message: 'the server does not offer the sign-in mechanism scram-sha-256; it offers PLAIN, LOGIN: change auth',
      }),
    )
    expect(chosen('user', capabilities('SASL PLAIN'), password)).toBe('user')
    expect(chosen('apop', capabilities('SASL PLAIN'), password)).toBe('apop')
  })

  it('names mechanisms that cannot act on a terminal', () => {
    expect(() => chosen('plain', capabilities('SASL X\u001b[2J'), password)).toThrow(/offers X\\x1b\[2J/)
  })
})

describe('the table of mechanisms', () => {
  it('has each name once, and no two of one rank for the same kind of secret', () => {
    const rows = [...PASSWORD_MECHANISMS, ...TOKEN_MECHANISMS].map((name) => mechanismNamed(name))
    expect(new Set(rows).size).toBe(rows.length)
    const ranks = rows.filter((row) => row?.rank !== null).map((row) => `${row?.secret} ${row?.rank}`)
    expect(new Set(ranks).size).toBe(ranks.length)
  })

  it('keeps from auto what lets a false server find the password (P028)', () => {
    expect([mechanismNamed('cram-md5')?.rank, mechanismNamed('apop')?.rank]).toEqual([null, null])
  })

  it('has no row for auto', () => {
    expect(mechanismNamed('auto')).toBeNull()
  })
})
