// Texts that are shaped to hurt, each for any length, and the parsers that are given them. A case that a parser cannot do in a
// time that grows with the text shows in growth.test.ts. New parsers get cases here; parsers.test.ts names who has none, and why.
import { assemble, findWrittenSecret } from '../../src/config/assemble.ts'
import { atOnce } from '../../src/config/turns.ts'
import { parseText } from '../../src/config/document.ts'
import { parseDestinationUrl } from '../../src/config/destinations/destinations.ts'
import { parseSourceUrl } from '../../src/config/destinations/url.ts'
import { readEntry } from '../../src/cli/commands/log/entry.ts'
import { Lines, parseLine, parseRequest } from '../../src/daemon/control/protocol.ts'
import { envelopeSender } from '../../src/deliver/envelope.ts'
import { readReply, sameReply } from '../../src/deliver/answers/reply.ts'
import { mechanismOf, sizeLimitOf } from '../../src/deliver/smtp/capabilities.ts'
import { display } from '../../src/display.ts'
import { field, fields, identity, receivedDateMs, splitHeader, stateBytes } from '../../src/header.ts'
import { fits } from '../../src/poll/route/conditions.ts'
import { parseCapabilities } from '../../src/pop3/wire/capabilities.ts'
import { parseReply } from '../../src/pop3/wire/reply.ts'
import { discover } from '../../src/setup/discover.ts'
import { draft } from '../../src/setup/draft.ts'
import { importFetchmail } from '../../src/setup/fetchmail/fetchmail.ts'
import { importGetmail } from '../../src/setup/getmail/getmail.ts'
import { uidlsOf, type Imported } from '../../src/setup/imported.ts'
import { importThunderbird } from '../../src/setup/thunderbird/thunderbird.ts'
import { importMpop } from '../../src/setup/mpop/mpop.ts'
import { parseNetrc } from '../../src/setup/netrc.ts'

export interface Parser {
  /** As in the table of parsers. */
  readonly name: string
  readonly parse: (text: string) => unknown
  /** How much of a text: so that the long one costs some hundredths of a second. */
  readonly n: number
  readonly texts: Readonly<Record<string, (n: number) => string>>
}

const CONTEXT = { localUser: 'me', netrc: { password: () => null, login: () => null }, env: {} }

/** Any text at all. */
const RUNS: Parser['texts'] = {
  blanks: (n) => `a${' '.repeat(n)}b`,
  'empty lines': (n) => '\n'.repeat(n),
  'lines of blanks': (n) => ' \t\n'.repeat(n),
  'double quotes': (n) => '"'.repeat(n),
  'an open quotation': (n) => `a = "${'\\"'.repeat(n)}`,
  'quotations in one another': (n) => `" '\\" `.repeat(n),
  'single quotes, escaped': (n) => `'\\' `.repeat(n),
  brackets: (n) => '['.repeat(n),
  parentheses: (n) => '('.repeat(n),
  braces: (n) => '{'.repeat(n),
  angles: (n) => '<'.repeat(n),
  colons: (n) => ':'.repeat(n),
  'equals signs': (n) => 'a = '.repeat(n),
  hashes: (n) => '#'.repeat(n),
  'hashes in a line': (n) => `x ${'#a '.repeat(n)}`,
  words: (n) => 'a '.repeat(n),
  'lines of a word': (n) => 'x\n'.repeat(n),
  backslashes: (n) => '\\'.repeat(n),
  'at signs': (n) => '@['.repeat(n),
  digits: (n) => '1'.repeat(n),
  'carriage returns': (n) => '\r'.repeat(n),
  NULs: (n) => '\0'.repeat(n),
}

function written(imported: Imported, record: string): void {
  const { accounts } = draft(imported, { heading: [], settings: {}, secrets: 'written' })
  // As the command does it: a record is read once for all.
  const lists = accounts[0]?.account.seen?.listsOf(record) ?? new Map()
  for (const { account } of accounts) if (account.seen !== null) uidlsOf(account.seen, lists)
}

function loaded(text: string): void {
  const document = parseText(text)
  const { problems } = assemble(document.root, (path) => path)
  atOnce(findWrittenSecret(document.root))
  if (document.readable) for (const { path, at } of problems) document.lineOf(path, at)
}

const numbered = (n: number, line: (at: number) => string): string =>
  Array.from({ length: n }, (_, at) => line(at)).join('\n')
const accounts = (n: number, body: string, head = ''): string =>
  `${head}accounts:\n${numbered(n, (at) => `  a${at}: ${body}`)}`
const KEYS = 'host: h.example, user: u, password: { env: X }'

function looked(text: string): void {
  const header = splitHeader(Buffer.from(`${text}\r\n\r\n`, 'latin1'))
  const when = { from: '*a*', to: '*a*', subject: '*x*', header: [{ name: 'x-a', pattern: '*a*b*' }], size: null }
  fits(when, { header, sizeBytes: text.length } as Parameters<typeof fits>[1])
  identity(header)
  stateBytes(header)
  receivedDateMs(header)
  field(header, 'subject')
  fields(header, 'received')
  envelopeSender({ kind: 'original' }, header, 'me@example.net')
}

export const parsers: readonly Parser[] = [
  {
    name: 'fetchmailrc and .fetchids',
    parse: (text) => written(importFetchmail(text, { ...CONTEXT, idfile: '/x' }), text),
    n: 5000,
    texts: {
      ...RUNS,
      'noise words': (n) => 'and '.repeat(n),
      'no after no': (n) => 'no '.repeat(n),
      'a name made of many': (n) => `poll a user b is ${'a = '.repeat(n)}`,
      'names here': (n) => `poll a user ${'a '.repeat(n)}here`,
      'users that share names': (n) => `defaults user b is ${'a '.repeat(n / 10)}${' poll a'.repeat(n / 20)}`,
      'one mailbox again and again': (n) => 'poll a user b '.repeat(n / 20),
      'one record for all': (n) => `${'poll a user b '.repeat(n / 40)}\n${'b@a u\n'.repeat(n / 40)}`,
    },
  },
  {
    name: 'getmailrc and oldmail',
    parse: (text) =>
      written(
        importGetmail(text, { ...CONTEXT, name: 'getmailrc', directory: '/d' }),
        `${text}\n${text.replaceAll('a', '\0')}`,
      ),
    n: 10_000,
    texts: {
      ...RUNS,
      'a key with blanks': (n) => `[retriever]\na${' '.repeat(n)}x\n`,
      'an open string': (n) => `[retriever]\npassword_command = ('${"\\'".repeat(n)}`,
      sections: (n) => '[filter]\n'.repeat(n),
      'a value that goes on': (n) => `[retriever]\npassword=a\n${' x\n'.repeat(n)}`,
      'names of prototypes': (n) => '[__proto__]\n__proto__=1\n x\n[constructor]\nconstructor=1\n'.repeat(n / 10),
      'a destination that names itself': (n) =>
        `[destination]\ntype=MultiDestination\ndestinations=${'"[destination]",'.repeat(n)}`,
    },
  },
  {
    name: 'mpoprc and its records',
    parse: (text) => written(importMpop(text, CONTEXT), text),
    n: 10_000,
    texts: {
      ...RUNS,
      'a value with blanks': (n) => `host x${' '.repeat(n)}y`,
      parents: (n) => `account a : ${'a,'.repeat(n)}`,
      'a chain of parents': (n) => numbered(n / 40, (at) => `account a${at} : a${at - 1}\nhost h`),
    },
  },
  {
    name: 'prefs.js and popstate.dat',
    parse: (text) => written(importThunderbird(text, { profile: '/p' }), text),
    n: 10_000,
    texts: {
      ...RUNS,
      'an open string': (n) => `user_pref("${'\\"'.repeat(n)}`,
      'a long value': (n) => `user_pref("a", "${'\\x'.repeat(n)}");`,
      servers: (n) => numbered(n / 40, (at) => `user_pref("mail.server.server${at}.type", "pop3");`),
      'names of prototypes': (n) => 'user_pref("__proto__", 1);\nuser_pref("constructor", 1);\n'.repeat(n / 20),
      'one list again and again': (n) => '*a b\nk u 1\n'.repeat(n / 10),
    },
  },
  {
    name: '.netrc',
    parse(text) {
      const netrc = parseNetrc(text)
      for (let at = 0; at < text.length / 100; at += 1) netrc.password(`h${at}`, 'u')
    },
    n: 20_000,
    texts: {
      ...RUNS,
      macros: (n) => 'macdef x\n \n'.repeat(n),
      'a macro without an end': (n) => `macdef x\n${' '.repeat(n)}`,
      machines: (n) => numbered(n / 4, (at) => `machine m${at} login l password p`),
    },
  },
  {
    name: 'configuration',
    parse: loaded,
    n: 1000,
    texts: {
      ...RUNS,
      'deep lists': (n) => `a: ${'['.repeat(n)}${']'.repeat(n)}`,
      'deep mappings': (n) => `${'{"a":'.repeat(n)}1${'}'.repeat(n)}`,
      'deep lines': (n) => '- '.repeat(n),
      'keys in one another': (n) => 'a: '.repeat(n),
      anchors: (n) => numbered(n, (at) => `x-${at}: &a${at} 1\ny-${at}: *a${at}`),
      'one mistake in each account': (n) => accounts(n / 4, `{ ${KEYS}, pasword: x, deliver: maildir:x }`),
      'an unknown destination in each': (n) =>
        accounts(n / 4, `{ ${KEYS}, deliver: inbx }`, `destinations:\n${numbered(n / 4, (at) => `  inbox${at}: x`)}\n`),
      'the same name for all': (n) => accounts(n / 4, `{ ${KEYS}, deliver: maildir:x }`).replace(/a\d+:/g, 'a:'),
      'one base for all': (n) =>
        accounts(n / 4, '{ <<: *b, user: u, no: 1 }', 'x-base: &b { host: h.example, password: { env: X } }\n'),
      'a list of destinations': (n) =>
        accounts(1, `{ ${KEYS}, deliver: [${numbered(n / 4, (at) => `maildir:x${at},`)}] }`),
      'keys that nobody knows': (n) => `accounts: { a: { ${numbered(n, (at) => `k${at}: 1,`)} } }`,
      'a URL of colons': (n) => accounts(1, `{ ${KEYS}, deliver: "smtp://${':'.repeat(n * 10)}" }`),
      'a proxy of colons': (n) => accounts(1, `{ ${KEYS}, deliver: maildir:x, proxy: "http://${':'.repeat(n * 10)}" }`),
    },
  },
  {
    name: 'URLs of the command line',
    parse: (text) => [
      parseSourceUrl(`pop3://${text}`),
      parseDestinationUrl(`smtp://${text}`),
      parseDestinationUrl(text),
    ],
    n: 20_000,
    texts: RUNS,
  },
  {
    name: 'headers',
    parse: looked,
    n: 4000,
    texts: {
      ...Object.fromEntries(
        Object.entries(RUNS).flatMap(([name, text]) => [
          [`From: ${name}`, (n: number) => `From: ${text(n)}`],
          [`Subject: ${name}`, (n: number) => `Subject: ${text(n)}`],
        ]),
      ),
      'encoded words': (n) => `Subject: ${'=?utf-8?q?=41?= '.repeat(n)}`,
      'open encoded words': (n) => `Subject: ${'=?utf-8?q?'.repeat(n)}`,
      'beginnings of encoded words': (n) => `Subject: ${'=?'.repeat(n)}`,
      'shifts of ISO-2022-JP': (n) => `Subject: ${'=?iso-2022-jp?b?GyRC?= '.repeat(n)}`,
      folds: (n) => `Subject: a\r\n${' b\r\n'.repeat(n)}`,
      fields: (n) => 'A: b\r\n'.repeat(n * 6),
      'one field again and again': (n) => 'From: a\r\n'.repeat(n),
      groups: (n) => `To: ${'a:b;'.repeat(n)}`,
      addresses: (n) => `To: ${'a@b.c, '.repeat(n)}`,
      'lines without a colon': (n) => 'a\r\n'.repeat(n * 6),
      semicolons: (n) => `Received: ${';'.repeat(n)}`,
    },
  },
  {
    name: 'control protocol',
    parse(text) {
      const [request, answer] = [new Lines(1_000_000), new Lines(1_000_000)]
      for (const character of text) request.take(character)
      for (const line of answer.take(`${text}\n`) ?? []) {
        parseRequest(line)
        parseLine(line)
      }
    },
    n: 20_000,
    texts: { ...RUNS, 'deep JSON': (n) => '['.repeat(n) + ']'.repeat(n) },
  },
  {
    name: 'lines of a log',
    parse(text) {
      readEntry(text)
      readEntry(JSON.stringify({ level: 'info', time: '2026-11-29T08:00:00Z', msg: text, [text]: text }))
    },
    n: 20_000,
    texts: { ...RUNS, 'deep JSON': (n) => '['.repeat(n) + ']'.repeat(n), objects: (n) => '{"a":'.repeat(n) },
  },
  {
    name: 'replies of servers',
    parse(text) {
      const reply = parseReply(Buffer.from(`-ERR ${text}`, 'latin1'))
      parseCapabilities(Buffer.from(`SASL ${text}\r\n`, 'latin1'))
      mechanismOf(`250-AUTH ${text}`, 'auto')
      sizeLimitOf(`250-SIZE ${text}`)
      sameReply(readReply(451, `451 ${text}`))
      return display(reply.text)
    },
    n: 20_000,
    texts: RUNS,
  },
]

/** Autoconfig is asked for over a network, so it comes back later. */
export const pages: Parser['texts'] = {
  ...RUNS,
  'open tags': (n) => '<incomingServer type="pop3">'.repeat(n / 10),
  'servers without a name': (n) => '<incomingServer type="pop3"></incomingServer>'.repeat(n / 10),
  'a name of blanks': (n) => `<incomingServer type="pop3"><hostname>${' '.repeat(n)}</incomingServer>`,
  'names without an end': (n) => `<incomingServer type="pop3">${'<hostname>'.repeat(n)}</incomingServer>`,
  'a tag without an end': (n) => `<incomingServer ${'type="pop3" '.repeat(n)}`,
  'entities in one another': (n) =>
    `<incomingServer type="pop3"><hostname>${'&amp;'.repeat(n)}</hostname></incomingServer>`,
  'the address again and again': (n) =>
    `<incomingServer type="pop3"><hostname>${'%EMAILADDRESS%'.repeat(n)}</hostname></incomingServer>`,
}

export async function configured(page: string): Promise<unknown> {
  const { server } = await discover('alice@example.invalid', {
    srv: () => Promise.resolve([]),
    page: () => Promise.resolve(page),
  })
  return server
}
