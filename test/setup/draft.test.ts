import { describe, expect, test } from 'vitest'
import { asWritten, type ImportedAccount } from '../../src/setup/imported.ts'
import { CONTEXT, written } from './scene.ts'
import { importFetchmail } from '../../src/setup/fetchmail/fetchmail.ts'

function account(name: string, rest: Partial<ImportedAccount> = {}): ImportedAccount {
  return {
    name,
    host: 'pop.example.net',
    port: 995,
    user: 'alice',
    secret: { kind: 'text', text: 'p' },
    secretKey: 'password',
    keys: {},
    deliver: [{ type: 'maildir', path: '~/Mail' }],
    warnings: [],
    remarks: [],
    off: false,
    seen: { file: '', listsOf: () => new Map(), keys: [], spellings: asWritten },
    ...rest,
  }
}

const file = (...accounts: readonly ImportedAccount[]) => written({ accounts, settings: {}, remarks: [] })

describe('names of accounts', () => {
  test('are made such as popfetch takes, each once', () => {
    const names = ['a b@c', 'a b@c', '--x', 'status', '', 'ü']
    const { accounts } = file(...names.map((name) => account(name)))
    expect(Object.keys(accounts)).toEqual(['a-b-c', 'a-b-c-2', 'x', 'status-mail', 'mailbox', 'mailbox-2'])
  })
})

test('a destination that several share is written once, another of its kind has another name', () => {
  const other = [{ type: 'maildir', path: '~/Other' }]
  const { accounts, destinations } = file(account('a'), account('b'), account('c', { deliver: other }))
  expect(Object.values(accounts).map(({ deliver }) => deliver)).toEqual(['inbox', 'inbox', 'inbox-2'])
  expect(Object.keys(destinations)).toEqual(['inbox', 'inbox-2'])
})

test.each(['0123', 'yes', '#x', "it's", 'a: b', ' x ', '{x}', '"', '<<', '~', 'ü\u2028', '\\n'])(
  'the password %j is what it was',
  (text) => {
    expect(file(account('a', { secret: { kind: 'text', text } })).accounts['a']?.['password']).toBe(text)
  },
)

test('a remark cannot end its comment', () => {
  const { accounts, text } = file(account('a', { remarks: ['one\nuser: mallory\u0085'] }))
  expect(accounts['a']?.['user']).toBe('alice')
  expect(text).toContain('# one\\x0auser: mallory\\x85')
})

test('with secrets elsewhere no password is in the text, nor that of a destination or of an account that is off', () => {
  const imported = importFetchmail(
    `poll a.example proto pop3 esmtpname me esmtppassword SECRET user u pass SECRET ssl smtphost mail.example
     skip b.example proto pop3 user u pass SECRET ssl`,
    { ...CONTEXT, idfile: '' },
  )
  expect(written(imported).text).toContain('SECRET')
  expect(written(imported, 'elsewhere').text).not.toContain('SECRET')
})
