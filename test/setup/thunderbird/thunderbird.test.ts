// Thunderbird's profile: what its POP3 servers become, and what its record has.
import { describe, expect, test } from 'vitest'
import { importThunderbird } from '../../../src/setup/thunderbird/thunderbird.ts'
import { parsePreferences, usualProfile } from '../../../src/setup/thunderbird/prefs.ts'
import { seenIn, written } from '../scene.ts'

const SERVER = {
  type: 'pop3',
  hostname: 'pop.example.net',
  userName: 'alice',
  socketType: 3,
  leave_on_server: true,
  'directory-rel': '[ProfD]Mail/pop.example.net',
}

function prefs(keys: object, server = 'server2'): string {
  return Object.entries({ ...SERVER, ...keys })
    .filter(([, value]) => value !== undefined)
    .map(([key, value]) => `user_pref("mail.server.${server}.${key}", ${JSON.stringify(value)});\n`)
    .join('')
}

function imported(keys: object) {
  return importThunderbird(prefs(keys), { profile: '/profile' }).accounts[0]
}

describe('a POP3 server of Thunderbird', () => {
  test('becomes an account with a Maildir of its own; what is no POP3 is left out', () => {
    const text = `// Mozilla User Preferences
user_pref("mail.server.server1.type", "imap");
user_pref("mail.server.server1.hostname", "imap.example.net");
${prefs({ port: 9950, name: 'Old mail', check_new_mail: true, check_time: 15 })}`
    const { accounts, destinations } = written(importThunderbird(text, { profile: '/profile' }))
    expect(accounts).toEqual({
      'Old-mail': {
        host: 'pop.example.net',
        port: 9950,
        user: 'alice',
        password: expect.anything(),
        deliver: 'inbox',
        delete: 'never',
        poll: '15m',
      },
    })
    expect(destinations).toEqual({ inbox: { type: 'maildir', path: '~/Mail/{account}' } })
  })

  test.each([
    [3, undefined, 995],
    [2, 'starttls', 110],
    [1, 'starttls', 110],
    [0, 'none', 110],
    [undefined, 'none', 110],
  ])('with socketType %s has tls: %s', (socketType, tls, port) => {
    const account = imported({ socketType })
    expect(account?.keys['tls']).toBe(tls)
    expect(account?.port).toBe(port)
  })

  test.each([
    [{ leave_on_server: false }, 'after-delivery', 0],
    [{ leave_on_server: true }, 'never', 0],
    [{ delete_mail_left_on_server: true }, 'never', 0],
    [{ delete_by_age_from_server: true, num_days_to_leave_on_server: 30 }, '30d', 0],
    [{ delete_by_age_from_server: true }, '7d', 0],
    [{ delete_by_age_from_server: true, num_days_to_leave_on_server: 0 }, 'never', 1],
    [{ delete_by_age_from_server: true, num_days_to_leave_on_server: -1 }, 'never', 1],
    [{ leave_on_server: undefined }, 'never', 1],
    [{ leave_on_server: 'false' }, 'never', 1],
    [{ leave_on_server: false, socketType: 9 }, 'never', 1],
  ])('with %j has delete: %s', (keys, policy, doubts) => {
    const account = imported(keys)
    expect(account?.keys['delete']).toBe(policy)
    expect(account?.warnings).toHaveLength(doubts)
  })

  test('with OAuth 2.0 wants a token', () => {
    const account = imported({ authMethod: 10 })
    expect(account).toMatchObject({ secretKey: 'token', secret: { kind: 'missing' }, keys: { auth: 'xoauth2' } })
    expect(account?.remarks.join()).toContain('popfetch auth')
  })

  test('says what cannot come along', () => {
    const account = imported({ delete_mail_left_on_server: true, headers_only: true, limit_offline_message_size: true })
    const told = account?.remarks.join('\n')
    for (const words of ['"until I delete them"', 'headers_only', 'maxSize', 'new Maildir'])
      expect(told).toContain(words)
  })
})

describe('popstate.dat', () => {
  const TEXT = `# POP3 State File
# This is a generated file!  Do not edit.

*pop.example.net alice
k u1 1600000000
d u2 1600000001
b cut 1600000002
f later 1600000003
k #odd
*pop.example.net bob
k other 1600000004
`

  test('has what was fetched whole, of this mailbox', () => {
    const account = imported({})
    expect(account?.seen?.file).toBe('/profile/Mail/pop.example.net/popstate.dat')
    expect(seenIn(account?.seen, TEXT)).toEqual(['u1', 'u2', '#odd'])
    const times = account?.seen?.listsOf(TEXT).get('pop.example.net alice')
    expect(times?.map(({ sinceMs }) => sinceMs)).toEqual([1_600_000_000_000, 1_600_000_001_000, null])
  })

  test('belongs to the mailbox under its first name, too, where the server was renamed', () => {
    const account = imported({ realhostname: 'new.example.net', realuserName: 'alice2' })
    expect(account).toMatchObject({ host: 'new.example.net', user: 'alice2' })
    expect(seenIn(account?.seen, TEXT)).toEqual(['u1', 'u2', '#odd'])
  })

  test('with CRLF is read the same', () => {
    expect(seenIn(imported({})?.seen, TEXT.replaceAll('\n', '\r\n'))).toEqual(['u1', 'u2', '#odd'])
  })
})

test.each([
  ['user_pref("a", "b\\"c\\\\ \\u00e9\\x41");', 'b"c\\ éA'],
  ['user_pref("a", -5);', -5],
  ['  user_pref("a", true);', true],
  ['user_pref("a", "x, y); z");', 'x, y); z'],
  ['// user_pref("a", 1);', undefined],
  ['user_pref("a", evil());', undefined],
  ['user_pref("a", "open', undefined],
])('%s is read as %j', (line, value) => {
  expect(parsePreferences(line)['a']).toBe(value)
})

test('a name such as __proto__ is a name like any other', () => {
  expect(Object.keys(parsePreferences('user_pref("__proto__", 1);'))).toEqual(['__proto__'])
})

test.each([
  ['[Install1]\nDefault=x.default\n[Profile0]\nPath=y\nDefault=1\n', 'x.default'],
  ['[Profile1]\nPath=a\n[Profile0]\nPath=y\nDefault=1\n', 'y'],
  ['[Profile0]\nPath=only\n', 'only'],
  ['[General]\nVersion=2\n', null],
])('the usual profile of %j is %s', (text, profile) => {
  expect(usualProfile(text)).toBe(profile)
})
