// Files of old tools, pages of autoconfig. The result is written down as a configuration. Our own parser must be able to read
// that, whatever was in the file, and must find the same in it.
import { parseText } from '../../src/config/document.ts'
import { assemble } from '../../src/config/assemble.ts'
import { discover } from '../../src/setup/discover.ts'
import { draft } from '../../src/setup/draft.ts'
import { importFetchmail } from '../../src/setup/fetchmail/fetchmail.ts'
import { importGetmail } from '../../src/setup/getmail/getmail.ts'
import { uidlsOf, type Imported } from '../../src/setup/imported.ts'
import { importMpop } from '../../src/setup/mpop/mpop.ts'
import { importThunderbird } from '../../src/setup/thunderbird/thunderbird.ts'
import { parseNetrc } from '../../src/setup/netrc.ts'
import { asBytes, type Target } from './target.ts'

const CONTEXT = { localUser: 'me', netrc: { password: () => null, login: () => null }, env: {} }

/** Each line of an old file may be a mailbox, and a new file with thousands of them takes seconds to be read back. */
const MOST_BYTES = 16_384

function textOf(input: Buffer): string {
  return input.subarray(0, MOST_BYTES).toString('utf8')
}

function readable(imported: Imported, record: string): void {
  const { text, accounts } = draft(imported, { heading: ['heading'], settings: {}, secrets: 'written' })
  for (const { account } of accounts) {
    if (account.seen === null) continue
    for (const { uidl } of uidlsOf(account.seen, account.seen.listsOf(record))) account.seen.spellings(uidl)
  }
  const document = parseText(text)
  if (!document.readable) throw new Error(`the new file cannot be read: ${JSON.stringify(text)}`)
  assemble(document.root, (path) => path)
}

const PAGE = `<?xml version="1.0"?><clientConfig><emailProvider id="x">
<incomingServer type="pop3"><hostname>pop.%EMAILDOMAIN%</hostname><port>995</port><socketType>SSL</socketType>
<username>%EMAILLOCALPART%</username></incomingServer>
<incomingServer type="pop3"><hostname>b</hostname><port>110</port><socketType>STARTTLS</socketType></incomingServer>`

export const fileTargets: readonly Target[] = [
  {
    name: 'fetchmailrc',
    seeds: [
      'set daemon 300\npoll pop.example.net protocol pop3: user "a" there with password \'b\\x41\' is c here ssl keep\n',
      'defaults proto pop3 user x is y\nskip a via b port 995 no dns\n user p=q r here options flush mda "m %T %F"\n# x\n',
      'a@pop.example.net u1\npop.example.net a u2\n',
    ].map(asBytes),
    run(input) {
      const text = textOf(input)
      readable(importFetchmail(text, { ...CONTEXT, idfile: '/x' }), text)
    },
  },
  {
    name: 'getmailrc',
    seeds: [
      '[retriever]\ntype = SimplePOP3SSLRetriever\nserver: a\nusername = b\npassword_command = ("a", \'b\')\n[destination]\ntype = MultiDestination\ndestinations = ("[x]", "~/m/")\n[x]\ntype = MDA_external\npath = /p\narguments = ("%(sender)",)\n',
      '[__proto__]\n__proto__ = 1\n[options]\nread_all = 0\ndelete_after = 3\n more\n; c\n',
      'uidl\u00001\nother\u00002\n',
    ].map(asBytes),
    run(input) {
      const text = textOf(input)
      readable(importGetmail(text, { ...CONTEXT, name: 'getmailrc', directory: '/d' }), text)
    },
  },
  {
    name: 'mpoprc',
    seeds: [
      'defaults\ntls on\naccount a\nhost h\nuser u\npassword "p q"\ndelivery maildir ~/m\naccount b : a\nkeep\naccount default : a\n',
      '# c\nhost h\nkillsize 4k\neval echo\npasswordeval x\ndelivery mda "/x -f %F"\n',
      ' 2 h u\nu1\nu2\n',
    ].map(asBytes),
    run(input) {
      const text = textOf(input)
      readable(importMpop(text, CONTEXT), text)
    },
  },
  {
    name: 'prefs.js and popstate.dat',
    seeds: [
      'user_pref("mail.server.server1.type", "pop3");\nuser_pref("mail.server.server1.hostname", "h");\nuser_pref("mail.server.server1.userName", "u\\u00e9\\"");\nuser_pref("mail.server.server1.port", 995);\nuser_pref("mail.server.server1.leave_on_server", true);\n',
      '# POP3 State File\n*h u\nk u1 1600000000\nd u2 1\nb u3 2\n',
    ].map(asBytes),
    run(input) {
      const text = textOf(input)
      readable(importThunderbird(text, { profile: '/p' }), text)
    },
  },
  {
    name: 'netrc',
    seeds: [asBytes('machine h login u password "a\\"b"\nmacdef m\n x\n\ndefault login a password b # c\n')],
    run(input) {
      const netrc = parseNetrc(input.toString('utf8'))
      netrc.password('h', 'u')
      netrc.login('h')
    },
  },
  {
    name: 'autoconfig',
    seeds: [asBytes(PAGE)],
    async run(input) {
      const page = input.toString('utf8').slice(0, 65_536)
      const lookups = { srv: () => Promise.resolve([]), page: () => Promise.resolve(page) }
      const { server } = await discover('alice@example.invalid', lookups)
      if (server !== null && server.host !== server.host.trim()) throw new Error('that is no host')
    },
  },
]
