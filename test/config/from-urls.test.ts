import path from 'node:path'
import { describe, expect, test } from 'vitest'
import { accountFromUrl, migrationConfiguration, destinationFromUrl } from '../../src/config/from-urls.ts'

const NOTHING = { password: null, ca: null }
const resolve = (text: string): string => path.resolve('/home/ada', text)

describe('a mailbox given as a URL', () => {
  test('has the defaults of a file, a name of letters, and takes all', () => {
    expect(
      accountFromUrl('pop3s://alice@example.net@pop.example.net', { password: { env: 'P' }, ca: null }, resolve),
    ).toMatchObject({
      name: 'alice_example.net_pop.example.net',
      user: 'alice@example.net',
      host: 'pop.example.net',
      port: 995,
      tls: 'implicit',
      password: { kind: 'env', name: 'P' },
      first: { kind: 'all' },
      delete: { kind: 'never' },
      deliver: [],
    })
  })

  test('a file of a password is found from where one stands', () => {
    expect(accountFromUrl('pop3://a@b', { password: { file: 'secret' }, ca: null }, resolve).password).toEqual({
      kind: 'file',
      path: '/home/ada/secret',
    })
  })

  test.each([
    ['pop3s://alice:hunter2@example.net', 'without a password|no password in a URL'],
    ['imap://alice@example.net', 'pop3s://user@host'],
    ['pop3s://alice@exa_mple..net', 'as its host a host name'],
    ['pop3s://alice@example.net:0', 'as its port'],
    ['pop3://alice@example.net?tls=maybe', 'as its tls'],
  ])('%s is wrong usage, and not repeated', (url, text) => {
    const act = (): unknown => accountFromUrl(url, { password: { env: 'P' }, ca: null }, resolve)
    expect(act).toThrow(expect.objectContaining({ code: 'ERR_USAGE', message: expect.stringMatching(text) }))
    expect(act).not.toThrow(/hunter2/)
  })
})

describe('a destination given as a URL', () => {
  test.each([
    ['maildir:Mail/old', { type: 'maildir', path: '/home/ada/Mail/old' }],
    ['mbox:old.mbox', { type: 'mbox', path: '/home/ada/old.mbox' }],
    ['smtp://mail.example.net?to=bob@example.net', { type: 'smtp', port: 587, to: ['bob@example.net'] }],
    ['lmtp:/run/lmtp?to=bob', { type: 'lmtp' }],
  ])('%s', (url, expected) => {
    expect(destinationFromUrl(url, NOTHING, resolve)).toMatchObject(expected)
  })

  test.each([
    ['Mail', 'maildir:PATH'],
    ['smtp://mail.example.net', 'a recipient'],
    ['smtp://bob@mail.example.net?to=a@b', 'as its user a password with it'],
  ])('%s is wrong usage', (url, text) => {
    expect(() => destinationFromUrl(url, NOTHING, resolve)).toThrow(
      expect.objectContaining({ code: 'ERR_USAGE', message: expect.stringContaining(text) }),
    )
  })
})

test('the same mailbox and destination have the same ledger again, beside the usual one', () => {
  const ledgerOf = (from: string, to: string): string =>
    migrationConfiguration(
      accountFromUrl(from, { password: { env: 'P' }, ca: null }, resolve),
      destinationFromUrl(to, NOTHING, resolve),
      {
        usual: null,
        statePath: '/var/lib/popfetch/state.db',
      },
    ).statePath
  const ledger = ledgerOf('pop3s://a@b.net', 'maildir:Mail')
  expect(ledger).toMatch(/^\/var\/lib\/popfetch\/migrations\/[0-9a-f]{24}\.db$/)
  expect(ledgerOf('pop3s://a@B.net:995', 'maildir:/home/ada/Mail')).toBe(ledger)
  expect(ledgerOf('pop3s://a@b.net', 'maildir:Mail2')).not.toBe(ledger)
  expect(ledgerOf('pop3s://other@b.net', 'maildir:Mail')).not.toBe(ledger)
})
