// `popfetch check SERVER:PORT` without a configuration, as a table: who is there, under which TLS → what is said, the exit code.
import net from 'node:net'
import tls from 'node:tls'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { certificates } from '../../../support/certificates.ts'
import { ImapServer } from '../../../support/imap-server.ts'
import { Pop3Server } from '../../../support/pop3-server.ts'
import { SmtpSink } from '../../../support/smtp-server.ts'
import { Person } from '../../person.ts'

let person: Person
const closing: (() => unknown)[] = []
beforeEach(async () => {
  person = await Person.arrive()
})
afterEach(async () => {
  for (const close of closing.splice(0)) await close()
  await person[Symbol.asyncDispose]()
})

const { key, certificate: cert, pin } = certificates.good

/** Greets, and answers each line; the key is how the line begins. */
async function speaking(
  greeting: string | Buffer,
  answers: Readonly<Record<string, string>> = {},
  secure = false,
): Promise<number> {
  const sockets = new Set<net.Socket>()
  const talk = (socket: net.Socket): void => {
    sockets.add(socket)
    socket.on('error', () => {})
    socket.write(greeting)
    socket.on('data', (chunk) => {
      const line = chunk.toString('latin1')
      const [, answer = ''] = Object.entries(answers).find(([start]) => line.startsWith(start)) ?? []
      socket.write(answer)
    })
  }
  const server = secure ? tls.createServer({ key, cert }, talk) : net.createServer(talk)
  server.on('tlsClientError', () => {})
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  closing.push(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  return (server.address() as net.AddressInfo).port
}

async function checked(port: number): Promise<{ readonly code: number; readonly lines: readonly string[] }> {
  const code = await person.run('check', `localhost:${port}`)
  expect(person.stderr.text).toBe('')
  return { code, lines: person.stdout.text.trimEnd().split('\n') }
}

async function started<T extends AsyncDisposable & { readonly port: number }>(starting: Promise<T>): Promise<number> {
  const server = await starting
  closing.push(() => server[Symbol.asyncDispose]())
  return server.port
}

type Mode = 'none' | 'starttls' | 'implicit'
const MODES: readonly Mode[] = ['none', 'starttls', 'implicit']

interface Row {
  readonly who: string
  readonly tls: Mode
  readonly port: () => Promise<number>
  readonly lines: readonly RegExp[]
}

const ROWS: readonly Row[] = MODES.flatMap((mode) => [
  {
    who: 'a POP3 server',
    tls: mode,
    port: () => started(Pop3Server.start({ tls: mode })),
    lines: [/^ {2}sign-in offered +/, /^ {2}capabilities +/],
  },
  {
    who: 'an SMTP server',
    tls: mode,
    port: () => started(SmtpSink.start({ tls: mode, users: { bob: 'x' } })),
    lines: [
      /^ {2}greeting +220 /,
      /^ {2}sign-in offered +.*PLAIN/,
      /^ {2}largest message +/,
      /^ {2}offers +.*PIPELINING/,
    ],
  },
  {
    who: 'an LMTP server',
    tls: mode,
    port: () => started(SmtpSink.start({ tls: mode, lmtp: true })),
    lines: [/^ {2}greeting +220 /, /^ {2}offers +.*PIPELINING/],
  },
  {
    who: 'an IMAP server',
    tls: mode,
    port: () => started(ImapServer.start({ tls: mode })),
    lines: [/^ {2}greeting +\* OK/, /^ {2}sign-in offered +.*PLAIN/, /^ {2}capabilities +.*IMAP4rev1/],
  },
])

describe('a server on a port of which nothing is known says who it is and what it offers', () => {
  test.each(ROWS)('$who, tls: $tls', async ({ who, tls: mode, port, lines: wanted }) => {
    const place = await port()
    const { code, lines } = await checked(place)
    expect(lines[1]).toMatch(new RegExp(`^ {2}answers +localhost:${place}, tls: ${mode}$`))
    for (const line of wanted) expect(lines).toContainEqual(expect.stringMatching(line))
    if (mode === 'none') {
      expect([code, lines[0]]).toEqual([0, `localhost:${place}: ${who}`])
    } else {
      // The test's authority is not trusted here: what is behind the certificate is told all the same.
      expect([code, lines[0]]).toEqual([
        76,
        expect.stringContaining(`${who}, but TLS with localhost:${place} failed: its certificate`),
      ])
      expect(lines).toContainEqual(expect.stringMatching(new RegExp(`^ {2}SHA-256 +${pin}$`)))
      expect(lines.at(-2)).toMatch(/^ {2}likely +the certificate is not trusted here$/)
    }
  })
})

describe('who is no mail server is named', () => {
  test.each([
    ['SSH', 'SSH-2.0-OpenSSH_9.2p1\r\n', /greets with "SSH-2\.0-OpenSSH_9\.2p1": this looks like an SSH server$/, 76],
    ['FTP', '220 ProFTPD Server ready\r\n', /this looks like an FTP server$/, 76],
    ['rubbish', Buffer.from('\u0000\u001b[2J\u00ff'.repeat(9000), 'latin1'), /greets with "\\x00\\x1b\[2J/, 76],
  ] as const)('%s', async (_, greeting, what, exit) => {
    const { code, lines } = await checked(await speaking(greeting))
    expect([code, lines]).toEqual([exit, [expect.stringMatching(/^localhost:\d+: not a mail server: /)]])
    expect(lines[0]).toMatch(what)
    expect(person.printed).not.toContain('\u001b')
  })

  test.each([false, true])('a web server, which waits to be spoken to; TLS: %s', async (secure) => {
    const { code, lines } = await checked(await speaking('', { QUIT: 'HTTP/1.1 400 Bad Request\r\n\r\n' }, secure))
    expect([code, lines]).toEqual([
      76,
      [expect.stringMatching(/HTTP\/1\.1 400 Bad Request": this looks like a web server$/)],
    ])
  })

  test('nobody', async () => {
    const port = await speaking('')
    for (const close of closing.splice(0)) await close()
    const { code, lines } = await checked(port)
    expect([code, lines]).toEqual([
      75,
      [expect.stringMatching(/not a mail server: cannot connect to .*connection refused/)],
    ])
  })
})

test.each([
  ['421 4.3.2 too many connections\r\n', 'an SMTP server'],
  ['* BYE too many connections\r\n', 'an IMAP server'],
])('a server that takes nothing now is named with its words: %j', async (greeting, who) => {
  const { code, lines } = await checked(await speaking(greeting))
  expect([code, lines[0]]).toEqual([75, expect.stringContaining(`${who}, but it says "`)])
  expect(lines[0]).toContain('too many connections')
})

test('an answer in several lines, one by one, is waited for', async () => {
  const port = await speaking('220-mx.example\r\n220-second\r\n220 ESMTP\r\n', {
    EHLO: '250-mx.example\r\n250-SIZE 1000\r\n250 8BITMIME\r\n',
    QUIT: '221 bye\r\n',
  })
  const { code, lines } = await checked(port)
  expect(code).toBe(0)
  expect(lines).toContainEqual(expect.stringMatching(/^ {2}largest message +1000 bytes$/))
})

test('what the server says is data: nothing of it moves a cursor or has no end', async () => {
  const long = `250-${'\u001b]0;x\u0007'.repeat(20)}\r\n`.repeat(2000)
  const port = await speaking('220 \u001b[2Jmx\r\n', { EHLO: `${long}250 X\r\n` })
  const { lines } = await checked(port)
  expect(person.printed).not.toContain('\u001b')
  expect(lines.join('').length).toBeLessThan(4000)
})

test('--json names the protocol', async () => {
  const port = await started(SmtpSink.start())
  expect(await person.run('check', `localhost:${port}`, '--json')).toBe(0)
  expect(JSON.parse(person.stdout.text)).toMatchObject({
    ok: true,
    servers: [{ protocol: 'SMTP', ok: true, error: null }],
  })
})
