import { describe, expect, test } from 'vitest'
import { importMpop } from '../../../src/setup/mpop/mpop.ts'
import { mpopWords } from '../../../src/setup/mpop/words.ts'
import { CONTEXT, seenIn, written } from '../scene.ts'

const imported = (text: string) => importMpop(text, CONTEXT)
const file = (text: string) => written(imported(text))

describe('an .mpoprc', () => {
  test('with defaults and accounts that inherit', () => {
    const { accounts, destinations } = file(`
# comment
defaults
tls on
tls_starttls off
delivery maildir ~/Mail

account first
host pop.example.net
user alice
passwordeval "pass show first"
keep

account second : first
user "bob smith"
password "two words"
keep off
delivery mbox ~/mbox

account default : first
`)
    expect(accounts).toEqual({
      first: {
        host: 'pop.example.net',
        user: 'alice',
        password: { command: 'pass show first' },
        deliver: 'inbox',
        delete: 'never',
      },
      second: {
        host: 'pop.example.net',
        user: 'bob smith',
        password: 'two words',
        deliver: 'mbox',
        delete: 'after-delivery',
      },
    })
    expect(destinations).toEqual({ inbox: { type: 'maildir', path: '~/Mail' }, mbox: { type: 'mbox', path: '~/mbox' } })
  })

  const base = 'account a\nhost pop.example.net\nuser u\npassword p\ndelivery maildir ~/Mail\n'

  test.each([
    ['', { tls: 'none' }],
    ['tls on', { tls: 'starttls' }],
    ['tls\ntls_starttls off\nport 9995', { port: 9995 }],
    ['tls on\ntls_trust_file /ca.pem', { ca: '/ca.pem' }],
    [`tls on\ntls_fingerprint ${'AB:'.repeat(31)}AB`, { pin: 'ab'.repeat(32) }],
    ['auth scram-sha-256', { auth: 'scram-sha-256' }],
    ['skipsize 2m', { maxSize: '2098KB' }],
    ['killsize 10k', { maxSize: '11KB' }],
    ['timeout 30', { timeout: '30s' }],
    ['pipelining off', { pipelining: 'off' }],
    ['proxy_host 127.0.0.1\nproxy_port 9050', { proxy: 'socks5://127.0.0.1:9050' }],
  ])('with "%s"', (lines, keys) => {
    expect(file(base + lines).accounts['a']).toMatchObject(keys)
  })

  test.each([
    ['', 'after-delivery'],
    ['keep', 'never'],
    ['keep on', 'never'],
    ['keep off', 'after-delivery'],
    ['keep 30d', '30d'],
    ['keep "30d"', '30d'],
    ['keep 1d12h', '36h'],
    ['keep 1d 11h 60m', '36h'],
    ['keep 90s', '90s'],
    ['keep 0d', 'after-delivery'],
  ])('with "%s" deletes %s', (line, policy) => {
    const { accounts } = file(base + line)
    expect(accounts['a']?.['delete']).toBe(policy)
    expect(imported(base + line).accounts[0]?.warnings).toEqual([])
  })

  test.each([
    'keep forever',
    'keep On',
    'keep yes',
    'keep no',
    'keep 30',
    'keep 30D',
    'keep 30d x',
    'keep -1d',
    'keep 36501d',
    'tls yes',
    'tls_starttls no',
    'tls_certcheck maybe',
    'received_header true',
    'only_new 0',
    'pipelining on off',
    'skipsize 5M',
    'killsize much',
    'timeout soon',
    'kepp on',
    'eval echo keep on',
  ])('with "%s", which popfetch cannot read, deletes nothing, and warns', (line) => {
    const { accounts, text } = file(base + line)
    expect(accounts['a']?.['delete']).toBe('never')
    const warnings = imported(base + line).accounts[0]?.warnings ?? []
    expect(warnings).toHaveLength(1)
    expect(text).toContain(`# ${warnings[0]}`)
  })

  test('an account inherits the doubt about an eval', () => {
    const lines = 'account b : a\nuser v\n\naccount c\nhost c.example.net\nuser w\npassword p\ndelivery mbox ~/m\n'
    const { accounts } = file(`${base}eval print\n${lines}`)
    expect([accounts['b']?.['delete'], accounts['c']?.['delete']]).toEqual(['never', 'after-delivery'])
  })

  test('with an OAuth method takes the command for one that prints tokens', () => {
    const { accounts } = file(`${base.replace('password p', 'passwordeval token')}tls on\nauth xoauth2`)
    expect(accounts['a']).toMatchObject({ token: { command: 'token' }, auth: 'xoauth2' })
  })

  test('without a password asks the key ring as mpop did', () => {
    const { accounts } = file(base.replace('password p\n', ''))
    expect(accounts['a']?.['password']).toEqual({
      command: ['secret-tool', 'lookup', 'host', 'pop.example.net', 'service', 'pop3', 'user', 'u'],
    })
  })

  test.each(['mda "/usr/bin/wc -c"', 'mda /usr/bin/wc -c', 'mda, "/usr/bin/wc -c"'])(
    'whose delivery is %s, as mpop’s own examples quote it, has that command (B1)',
    (delivery) => {
      const { destinations } = file(base.replace('maildir ~/Mail', delivery))
      const [command] = Object.values(destinations)
      expect(command).toMatchObject({ type: 'command', run: ['/usr/bin/wc', '-c'] })
    },
  )

  test('with an agent and without a trace field', () => {
    const { destinations } = file(
      base.replace('maildir ~/Mail', `mda /usr/bin/procmail -f '%F' -d $USER`) + 'received_header off\n',
    )
    expect(Object.values(destinations)).toEqual([
      {
        type: 'command',
        run: ['/bin/sh', '-u', '-c', '/usr/bin/procmail -f "$SENDER" -d $USER'],
        cwd: '~',
        trace: false,
      },
    ])
  })

  test('what has no counterpart is told, and an eval is not run', () => {
    const { text } = file(`${base}tls on\nfilter x\ntls_certcheck off\neval touch SECRET\nnonsense SECRET\nauth ntlm`)
    for (const word of ['filter', 'tls_certcheck off', 'line 9', 'line 10', 'auth ntlm']) expect(text).toContain(word)
    expect(text).not.toContain('SECRET')
  })
})

// All of mpop 1.4.23, from its manual.
const WORDS =
  'host port source_ip proxy_host proxy_port socket timeout pipelining auth user password passwordeval ntlmdomain tls tls_starttls tls_trust_file tls_crl_file tls_fingerprint tls_key_file tls_cert_file tls_certcheck tls_priorities tls_host_override tls_min_dh_prime_bits delivery uidls_file only_new keep killsize skipsize filter received_header'

describe('each word of the manual is translated, harmless, or told with a reason', () => {
  test.each(WORDS.split(' '))('%s', (word) => {
    const old = imported(`account a\nhost h.example\n${word} 7\n`)
    expect(old.remarks).toEqual([])
    const told = (old.accounts[0]?.remarks ?? []).filter((remark) => remark.startsWith(`${word}: `))
    if (!mpopWords.translated.has(word) && !mpopWords.harmless.has(word)) expect(told).toHaveLength(1)
  })
})

test('a UIDLs file may hold the lists of several mailboxes', () => {
  const [account] = imported(
    'account a\nhost POP.example.net\nuser a b\npassword p\ndelivery maildir ~/Mail\n',
  ).accounts
  expect(account?.seen?.file).toBe('~/.mpop_uidls/a b_at_POP.example.net')
  const text = '# made by mpop\n 1 pop.example.net other\nx1\n 2 pop.example.net a b\nu1\nu 2\n 1 c d\nx2\n'
  expect(seenIn(account?.seen, text)).toEqual(['u1', 'u 2'])
})

test('a record of mpop 1.4.23 tells when a message was first seen, and a UIDL may begin with a #', () => {
  const [account] = imported('account a\nhost h.example\nuser u\npassword p\ndelivery maildir ~/Mail\n').accounts
  const lists = account?.seen?.listsOf('# comment\n 3 h.example u\n#1 1785530000\nu2 1785530001\n#3\n')
  expect(lists?.get('h.example u')).toEqual([
    { uidl: '#1', sinceMs: 1_785_530_000_000 },
    { uidl: 'u2', sinceMs: 1_785_530_001_000 },
    { uidl: '#3', sinceMs: null },
  ])
})
