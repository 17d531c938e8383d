// What is fed to what, and what must hold for any input. There is no error but PopfetchError, the outcome is the same however
// the bytes are cut, and nothing unsafe is printed.
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { assemble } from '../../src/config/assemble.ts'
import { parseText } from '../../src/config/document.ts'
import { parseDestinationUrl } from '../../src/config/destinations/destinations.ts'
import { parseSourceUrl } from '../../src/config/destinations/url.ts'
import { display, displayBytes } from '../../src/display.ts'
import { PopfetchError } from '../../src/errors.ts'
import { field, fields, fingerprint, receivedDateMs, splitHeader, stateBytes } from '../../src/header.ts'
import { Decoder } from '../../src/pop3/wire/decoder.ts'
import { apopTimestamp } from '../../src/pop3/sign-in/md5.ts'
import { ListParser } from '../../src/pop3/listing/parser.ts'
import { Listing } from '../../src/pop3/listing/listing.ts'
import { mechanismNamed, PASSWORD_MECHANISMS, TOKEN_MECHANISMS } from '../../src/pop3/sign-in/mechanisms.ts'
import { parseCapabilities } from '../../src/pop3/wire/capabilities.ts'
import { parseReply } from '../../src/pop3/wire/reply.ts'
import { cutterTarget } from './cutter.ts'
import { fileTargets } from './files.ts'
import { asBytes, safe, same, type Target } from './target.ts'
import { gmailTarget } from './gmail.ts'
import { providerTargets } from './provider.ts'
import { talkTargets } from './talk.ts'

const folder = (...parts: string[]): readonly string[] => {
  const path = join(import.meta.dirname, '..', ...parts)
  return readdirSync(path).map((name) => join(path, name))
}

const transcripts = folder('transcripts').map((file) => readFileSync(file, 'latin1'))
/** What the servers say in the transcripts, as it is on the wire. */
const spoken = transcripts.map((text) =>
  Buffer.from([...text.matchAll(/^S: ?(.*)$/gm)].map(([, line]) => `${line}\r\n`).join(''), 'latin1'),
)
const lines = spoken.flatMap((bytes) => bytes.toString('latin1').split('\r\n').map(asBytes))
const configurations = folder('..', 'examples')
  .filter((file) => file.endsWith('.yaml'))
  .map((file) => readFileSync(file))

/** The answers that a client would take these bytes for, and how it ends. */
function decoded(pieces: readonly Buffer[]): string {
  const events: string[] = []
  let body: Buffer[] = []
  let left = 40
  const decoder = new Decoder({
    expects: () => left > 0,
    status(line) {
      left--
      const reply = parseReply(line)
      events.push(`${reply.status} ${line.toString('latin1')}`)
      body = []
      // Every other answer has several lines: bytes fall into both states.
      return reply.status === 'ok' && left % 2 === 0
    },
    body: (bytes) => void body.push(Buffer.from(bytes)),
    end: () => void events.push(Buffer.concat(body).toString('latin1')),
  })
  try {
    for (const piece of pieces) decoder.feed(piece)
  } catch (error) {
    if (!(error instanceof PopfetchError)) throw error
    events.push(error.code)
  }
  return events.join('\n')
}

function listed(list: readonly Buffer[], uidl: readonly Buffer[]): string {
  const [sizes, uidls] = [new ListParser(), new ListParser()]
  for (const piece of list) sizes.feed(piece)
  for (const piece of uidl) uidls.feed(piece)
  const listing = Listing.ofFew(sizes, uidls)
  return JSON.stringify([listing.slice(0, listing.length), [...listing.sharedUidls()], listing.totalBytes])
}

export const targets: readonly Target[] = [
  {
    name: 'decoder',
    seeds: spoken,
    run: (input, random) => same(decoded([input]), decoded(random.pieces(input))),
  },
  { ...cutterTarget, seeds: [...cutterTarget.seeds, ...spoken] },
  {
    name: 'reply',
    seeds: lines,
    run(input) {
      safe(parseReply(input).text)
    },
  },
  {
    name: 'capabilities',
    seeds: [...spoken, asBytes('TOP\r\nSASL PLAIN LOGIN\r\nLOGIN-DELAY 300 USER\r\nEXPIRE 31 USER\r\nAUTH=PLAIN\r\n')],
    run(input) {
      for (const line of parseCapabilities(input).lines) safe(line)
    },
  },
  {
    name: 'listing',
    seeds: [
      ...spoken,
      asBytes('1 120\r\n2 300\r\n3 17 bytes\r\n'),
      asBytes('1 a\r\n2 b\r\n2 c\r\n4  a\r\n5\r\n+OK 6 f\r\n'),
    ],
    run(input, random) {
      const half = random.below(input.length + 1)
      const [list, uidl] = [input.subarray(0, half), input.subarray(half)]
      same(listed([list], [uidl]), listed(random.pieces(list), random.pieces(uidl)))
    },
  },
  {
    name: 'header',
    seeds: [
      ...spoken,
      asBytes(
        'Received: from a (b [1.2.3.4])\r\n\tby c; Tue, 24 Nov 2026 10:00:00 +0000 (UTC)\r\nFrom: a <b@c>\r\nSubject: =?utf-8?Q?x?=\r\n folded\r\nX-UIDL: 1\r\n\r\nbody\r\n',
      ),
    ],
    run(input) {
      const header = splitHeader(input)
      fingerprint(header)
      field(header, 'Subject')
      fields(header, 'Received')
      receivedDateMs(header)
      stateBytes(header)
    },
  },
  {
    name: 'SASL challenges',
    seeds: [
      'r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096',
      'v=6rriTRBi23WpRZ/wtup+mMhUZUn/dB5nLTJRsjl95G4=',
      'e=other-error',
      'Username:',
      'Password:',
      '<1896.697170952@postoffice.reston.mci.net>',
      '{"status":"401","schemes":"bearer","scope":"https://mail.google.com/"}',
      '',
    ].map(asBytes),
    async run(input, random) {
      const mechanism = mechanismNamed(random.of([...PASSWORD_MECHANISMS, ...TOKEN_MECHANISMS]))
      if (mechanism?.kind !== 'sasl') return void apopTimestamp(input)
      const user = 'alice'
      const credentials = mechanism.secret === 'token' ? { user, token: 'token' } : { user, password: 'secret' }
      const made = mechanism.begin(credentials, { host: 'pop.example.net', port: 995 })
      for (const challenge of input.toString('latin1').split('|').slice(0, 4)) {
        const answer = await made.answer(withNonce(challenge, made.initial))
        if (!Buffer.isBuffer(answer)) safe(answer.cancel)
      }
      if (made.complaint !== null) safe(made.complaint)
    },
  },
  {
    name: 'configuration',
    seeds: [
      ...configurations,
      asBytes('{"accounts":{"a":{"host":"h","user":"u","password":"p","deliver":"maildir:x"}}}'),
    ],
    run(input) {
      const text = input.toString('utf8').slice(0, 20_000)
      const document = parseText(text)
      const { problems } = assemble(document.root, (path) => path)
      for (const { path, at } of document.readable ? problems : []) document.lineOf(path, at)
    },
  },
  ...fileTargets,
  ...providerTargets,
  gmailTarget,
  ...talkTargets,
  {
    name: 'URL',
    seeds: [
      'pop3s://user%40x@host:995',
      'pop3://a@b@host?tls=none',
      'smtp://user@[::1]:25?to=a@b,c@d&tls=none',
      'lmtp:/run/lmtp?to=a',
      'imaps://u@h:993/Old/a%25?',
      'imap://u@127.0.0.1/a?tls=none',
      'maildir:~/Mail',
      'mbox:a?b',
    ].map(asBytes),
    run(input) {
      for (const text of [input.toString('latin1'), input.toString('utf8')]) {
        for (const parsed of [parseSourceUrl(text), parseDestinationUrl(text)])
          if (parsed.kind === 'wrong') safe(parsed.expected)
      }
    },
  },
  {
    name: 'display',
    seeds: [...lines, Buffer.from('Grüße \u202eabc\u2028 \u{1f600} \ufeff')],
    run(input) {
      safe(displayBytes(input))
      safe(display(input.toString('utf8')))
      safe(display(input.toString('latin1')))
    },
  },
]

/** A server's nonce must begin with ours, or SCRAM ends at the first look. */
function withNonce(challenge: string, initial: Buffer | null): Buffer {
  const nonce = /,r=([^,]*)$/.exec(initial?.toString('latin1') ?? '')?.[1] ?? ''
  return Buffer.from(challenge.replace(/^r=/, `r=${nonce}`), 'latin1')
}
