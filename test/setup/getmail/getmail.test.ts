import { describe, expect, test } from 'vitest'
import { importGetmail } from '../../../src/setup/getmail/getmail.ts'
import { destinationWords, optionWords, retrieverWords } from '../../../src/setup/getmail/words.ts'
import { parseNetrc } from '../../../src/setup/netrc.ts'
import type { WordList } from '../../../src/setup/words.ts'
import { CONTEXT, seenIn, written } from '../scene.ts'

const RETRIEVER = `[retriever]
type = SimplePOP3SSLRetriever
server = pop.example.net
username = alice@example.net
password = pa%ss = 1
`
const MAILDIR = '[destination]\ntype = Maildir\npath = ~/Mail/\n'

const imported = (text: string, name = 'getmailrc') =>
  importGetmail(text, { ...CONTEXT, name, directory: '/home/a/.getmail' })
const file = (text: string) => written(imported(text))

describe('a getmailrc', () => {
  test('in its most usual form', () => {
    const { accounts, destinations } = file(
      `; mail\n${RETRIEVER}\n${MAILDIR}\n[options]\nread_all = false\ndelete = true\n`,
    )
    expect(accounts).toEqual({
      'pop.example.net': {
        host: 'pop.example.net',
        user: 'alice@example.net',
        password: 'pa%ss = 1',
        deliver: 'inbox',
        delete: 'after-delivery',
      },
    })
    expect(destinations).toEqual({ inbox: { type: 'maildir', path: '~/Mail' } })
  })

  test.each([
    ['delete = yes', 'after-delivery'],
    ['delete = TRUE', 'after-delivery'],
    ['delete = off', 'never'],
    ['delete_after = 30', '30d'],
    ['delete = true\ndelete_after = 30', 'after-delivery'],
  ])('with "%s" deletes %s', (lines, policy) => {
    const text = `${RETRIEVER}${MAILDIR}[options]\nread_all = false\n${lines}\n`
    expect(file(text).accounts['pop.example.net']?.['delete']).toBe(policy)
    expect(imported(text).accounts[0]?.warnings).toEqual([])
  })

  test.each([
    'delete = perhaps',
    'delete = true ; for now',
    'delete = true\ndelete_after = 30 days',
    'delete = true\nread_all = never',
    'delete = true\nreceived = 2',
    'delete = true\nmax_message_size = 5MB',
    'delete = true\nmax_messages_per_session = -1',
  ])('with "%s", which popfetch cannot read, deletes nothing, and warns', (lines) => {
    const text = `${RETRIEVER}${MAILDIR}[options]\n${lines}\n`
    expect(file(text).accounts['pop.example.net']?.['delete']).toBe('never')
    const warnings = imported(text).accounts[0]?.warnings ?? []
    expect(warnings).toHaveLength(1)
    expect(file(text).text).toContain(`# ${warnings[0]}`)
  })

  test('with another name gives it to the account', () => {
    expect(Object.keys(written(imported(RETRIEVER + MAILDIR, 'work.rc')).accounts)).toEqual(['work'])
  })

  test('with a command for the password, and limits', () => {
    const text = `[retriever]
type: SimplePOP3Retriever
server: 10.0.0.1
port: 1110
username: a
password_command: ("pass", 'show',
  "mail")
timeout: 20
use_apop: true
${MAILDIR}
[options]
delete_after = 7
max_message_size = 2000000
max_messages_per_session = 50
message_log = $HOME/log
`
    const { accounts, root, text: written } = file(text)
    expect(accounts['10.0.0.1']).toMatchObject({
      tls: 'none',
      port: 1110,
      password: { command: ['pass', 'show', 'mail'] },
      auth: 'apop',
      delete: '7d',
      limit: 50,
      maxSize: '2000KB',
      timeout: '20s',
    })
    expect(root['log']).toEqual({ file: '~/log' })
    expect(written).toContain('what getmail had fetched is deleted only after import --take-over')
    expect(written).toContain('read_all: getmail fetched everything each time')
  })

  test('with several destinations', () => {
    const { destinations, accounts } = file(`${RETRIEVER}
[destination]
type = MultiDestination
destinations = ('~/Mail/', "~/all.mbox", "[agent]", "[again]")
[agent]
type = MDA_external
path = /usr/bin/maildrop
arguments = ("-f%(sender)", "it's", "%(recipient)")
[again]
type = MultiDestination
destinations = ("[again]",)
[options]
received = false
`)
    expect(accounts['pop.example.net']?.['deliver']).toEqual(['inbox', 'mbox', 'agent'])
    expect(destinations).toEqual({
      inbox: { type: 'maildir', path: '~/Mail', trace: false },
      mbox: { type: 'mbox', path: '~/all.mbox', trace: false },
      agent: {
        type: 'command',
        run: ['/bin/sh', '-c', `exec '/usr/bin/maildrop' '-f'"$SENDER"'' 'it'\\''s' ''"$RECIPIENT"''`],
        cwd: '~',
        trace: false,
      },
    })
  })

  test('what has no counterpart is told', () => {
    const { text } = file(`${RETRIEVER.replace('SimplePOP3SSL', 'MultidropPOP3SSL')}envelope_recipient = x:1
[destination]
type = MultiSorter
default = ~/Mail/
[filter-1]
type = Filter_external
[options]
delete_bigger_than = 1000
`)
    for (const word of ['multi-drop', 'MultiSorter', '[filter-1]', 'delete_bigger_than']) expect(text).toContain(word)
  })

  const MANY = RETRIEVER.replace('SimplePOP3SSL', 'MultidropPOP3SSL').replace('alice@example.net', 'all@example.org')
  const LMTP = '[destination]\ntype = MDA_lmtp\nhost = localhost\n'

  test('of the mailbox of a whole domain has a recipient', () => {
    const { accounts, destinations, text } = file(`${MANY}envelope_recipient = x-envelope-to:1\n${LMTP}`)
    expect(accounts['pop.example.net']).toMatchObject({
      recipient: { header: 'x-envelope-to', domains: ['example.org'], otherwise: 'me@example.org' },
    })
    expect(destinations).toMatchObject({ lmtp: { to: '{local}' } })
    expect(text).toContain('the domains are a guess from the user name')
  })

  test.each([
    [
      `${MANY}envelope_recipient = delivered-to:2\n${LMTP}`,
      'delivered-to:2: popfetch reads the first field of that name',
    ],
    [`${MANY}${LMTP}`, 'does not say which field names the recipient'],
    [`${MANY.replace('all@example.org', 'all')}envelope_recipient = x:1\n${LMTP}`, 'which domains are yours'],
    [`${MANY}envelope_recipient = x:1\n${LMTP}override = bob\n`, 'all mail goes to one place'],
    [`${MANY}envelope_recipient = x:1\n${MAILDIR}`, 'all mail goes to one place'],
  ])('of the mailbox of a whole domain guesses nothing %#', (old, reason) => {
    const { accounts, text } = file(old)
    expect(accounts['pop.example.net']).not.toHaveProperty('recipient')
    expect(text).toContain(reason)
  })

  test('of another protocol is not polled', () => {
    expect(imported(RETRIEVER.replace('POP3', 'IMAP') + MAILDIR).accounts[0]?.off).toBe(true)
  })
})

// All of getmail 6.20, from its manual and the tables in its source.
const WORDS: Readonly<Record<string, readonly [WordList, string]>> = {
  retriever: [
    retrieverWords,
    'server port username password password_command timeout use_apop use_xoauth2 delete_dup_msgids keyfile certfile ca_certs ssl_fingerprints ssl_version ssl_ciphers ssl_cert_hostname envelope_recipient mailboxes use_peek move_on_delete uid_cache record_mailbox use_cram_md5 use_kerberos imap_search imap_on_delete imap_id_extension',
  ],
  destination: [
    destinationWords,
    'path user filemode locktype group allow_root_commands unixfrom ignore_stderr pipe_stdout arguments host port fallback override destinations default locals qmaillocal homedir localdomain defaultdelivery conf-break localpart_translate strip_delivered_to',
  ],
  options: [
    optionWords,
    'verbose read_all delete delete_after delete_bigger_than max_message_size max_messages_per_session max_bytes_per_session delivered_to received message_log message_log_verbose message_log_syslog logfile fingerprint use_netrc netrc_file to_oldmail_on_each_mail only_oldmail_file skip_imap_fetch_size mark_read',
  ],
}

describe('each word of the manual is translated, harmless, or told with a reason', () => {
  const cases = Object.entries(WORDS).flatMap(([section, [list, words]]) =>
    words.split(' ').map((word) => ({ section, list, word })),
  )
  test.each(cases)('[$section] $word', ({ section, list, word }) => {
    const text = `${RETRIEVER}\n${MAILDIR}\n[options]\nread_all = false\n`
    const [account] = imported(text.replace(`[${section}]\n`, `[${section}]\n${word} = 7\n`)).accounts
    const told = (account?.remarks ?? []).filter((remark) => remark.startsWith(`${word}: `))
    if (!list.translated.has(word) && !list.harmless.has(word)) expect(told).toHaveLength(1)
  })

  test('and a word that getmail does not know is told, too, never its value', () => {
    const { text } = file(`${RETRIEVER}frobnicate = SECRET\n${MAILDIR}[extra]\nx = SECRET\n`)
    expect(text).toContain('# frobnicate: popfetch does not know this word')
    expect(text).toContain('# [extra]: no destination names this section')
    expect(text).not.toContain('SECRET')
  })
})

test('getmail with XOAUTH2 has a token, never a password', () => {
  const text = `${RETRIEVER.replace(/password = .*/, 'password_command = ("getmail-gmail-xoauth-tokens", "f")\nuse_xoauth2 = True')}${MAILDIR}`
  const { accounts } = file(text)
  expect(accounts['pop.example.net']).toMatchObject({
    token: { command: ['getmail-gmail-xoauth-tokens', 'f'] },
    auth: 'xoauth2',
  })
  expect(accounts['pop.example.net']?.['password']).toBeUndefined()
})

test('getmail with use_netrc takes name and password from there', () => {
  const text = `${RETRIEVER.replace(/username.*\npassword.*/, '')}${MAILDIR}[options]\nuse_netrc = true\n`
  const netrc = parseNetrc('machine pop.example.net login bob password "of netrc"')
  const { accounts } = written(importGetmail(text, { ...CONTEXT, netrc, name: 'getmailrc', directory: '/d' }))
  expect(accounts['pop.example.net']).toMatchObject({ user: 'bob', password: 'of netrc' })
})

test('mark_read, which may stand for no deletion, deletes nothing', () => {
  const text = `${RETRIEVER}${MAILDIR}[options]\ndelete = true\nmark_read = true\n`
  expect(file(text).accounts['pop.example.net']?.['delete']).toBe('never')
})

test('a line without a sign is told, and deletes nothing', () => {
  const text = `${RETRIEVER}${MAILDIR}[options]\ndelete\nfrobnicate\n`
  expect(file(text).accounts['pop.example.net']?.['delete']).toBe('never')
  const comments = file(text)
    .text.split('\n')
    .filter((line) => line.trim().startsWith('#'))
  for (const word of [/# delete ?:/, /# frobnicate:/]) expect(comments.join('\n')).toMatch(word)
})

describe('an oldmail file', () => {
  const seen = imported(RETRIEVER.replace('alice@example.net', 'ex/alice') + MAILDIR).accounts[0]?.seen

  test('has a name made of server, port and user', () => {
    expect(seen?.file).toBe('/home/a/.getmail/oldmail-pop.example.net-995-ex-alice')
  })

  test('has a UIDL and a time a line', () => {
    expect(seenIn(seen, 'abc\u000017\nbroken\n\u0000\nd e\u000018\n')).toEqual(['abc', 'd e'])
  })

  test('has hyphens for slashes: both are remembered', () => {
    expect(seen?.spellings('a-b-c')).toEqual(['a-b-c', 'a/b/c'])
    expect(seen?.spellings('abc')).toEqual(['abc'])
  })
})
