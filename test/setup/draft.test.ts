import { describe, expect, test } from 'vitest'
import { draft } from '../../src/setup/draft.ts'
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

test('what only an account in comments delivers to is no destination of the file, but stands in its comment (B10)', () => {
  const off = account('off', { off: true, deliver: [{ type: 'smtp', host: 'localhost', to: 'x@example.net' }] })
  const shared = account('shared', { off: true })
  const { text } = draft(
    { accounts: [off, account('on'), shared], settings: {}, remarks: [] },
    { heading: [], settings: {}, secrets: 'written' },
  )
  const { destinations } = file(off, account('on'), shared)
  expect(Object.keys(destinations)).toEqual(['inbox'])
  expect(text).toMatch(/#\s+type: smtp/)
  expect(text).toMatch(/# shared:[\s\S]*#\s+deliver: inbox/)
})

test('the log of fetchmail is not that of popfetch: it is named in a remark (B10)', () => {
  const text = 'set logfile /var/log/fetchmail.log\npoll pop.example.net proto pop3 user alice password secret1 ssl\n'
  const imported = importFetchmail(text, { ...CONTEXT, idfile: '.fetchids' })
  expect(imported.settings).not.toHaveProperty('log')
  expect(imported.remarks).toContainEqual(expect.stringMatching(/^set logfile: popfetch has a log of its own/))
})
