// Servers that repeat what they like, at the step that a test names: POP3, SMTP and a proxy. Each listens on a port of its own
// of 127.0.0.1, so that a greeting can be meant for one account.
import { once } from 'node:events'
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net'
import { createServer as createTlsServer, type TlsOptions } from 'node:tls'

/** Where a POP3 server can say something that popfetch keeps. `listing`: a line of UIDL that is none. `ids`: a UIDL itself. `nonsense`: an answer
 *  to PASS that is no status. `challenge`: the explanation of a refused token. `header`: fields of a mail by which it is known. */
export const POP3_PLACES = [
  'greeting',
  'CAPA',
  'capabilities',
  'AUTH',
  'challenge',
  'USER',
  'PASS',
  'nonsense',
  'STAT',
  'UIDL',
  'LIST',
  'listing',
  'ids',
  'TOP',
  'header',
  'RETR',
  'DELE',
  'QUIT',
] as const
export type Pop3Place = (typeof POP3_PLACES)[number]

export const SMTP_PLACES = ['greeting', 'EHLO', 'AUTH', 'MAIL', 'RCPT', 'DATA', 'dot', 'taken', 'QUIT'] as const
export type SmtpPlace = (typeof SMTP_PLACES)[number]

const MAIL = 'From: a@example.org\r\nSubject: hello\r\n\r\nbody\r\n'

/** What is said to a line; null: the connection ends. */
type Talk = (line: string) => string | null

async function listening(
  talk: () => { readonly greeting: string; readonly answer: Talk },
  tls: TlsOptions | null,
): Promise<Server> {
  const take = (socket: Socket): void => {
    const { greeting, answer } = talk()
    let input = ''
    socket.on('error', () => {})
    if (greeting !== '') socket.write(greeting)
    socket.on('data', (chunk: Buffer) => {
      input += chunk.toString('latin1')
      for (let end = input.indexOf('\n'); end !== -1; end = input.indexOf('\n')) {
        const line = input.slice(0, end).replace(/\r$/, '')
        input = input.slice(end + 1)
        const said = answer(line)
        if (said === null) socket.end()
        else socket.write(said)
      }
    })
  }
  const server = tls === null ? createServer(take) : createTlsServer(tls, take).on('tlsClientError', () => {})
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return server
}

function pop3(place: Pop3Place | null, words: string): { readonly greeting: string; readonly answer: Talk } {
  let signedIn = false
  const refuse = (at: Pop3Place, good: string): string => (place === at ? `-ERR ${words}\r\n` : good)
  const greeting = place === 'greeting' ? `-ERR ${words}\r\n` : '+OK ready\r\n'
  const extra = place === 'capabilities' ? `IMPLEMENTATION ${words}\r\nX-${words}\r\n` : ''
  const mail =
    place === 'header'
      ? `From: ${words} <a@example.org>\r\nSubject: ${words}\r\nMessage-ID: <${words}@example.org>\r\n\r\nbody\r\n`
      : MAIL
  const size = Buffer.byteLength(mail)
  const commands: Readonly<Record<string, (argument: string) => string | null>> = {
    CAPA: () => refuse('CAPA', `+OK\r\nUSER\r\nTOP\r\nUIDL\r\nSASL PLAIN XOAUTH2\r\n${extra}.\r\n`),
    AUTH: (argument) => {
      if (place === 'challenge') return `+ ${Buffer.from(JSON.stringify({ status: words })).toString('base64')}\r\n`
      signedIn = place !== 'AUTH'
      return argument.includes(' ') ? refuse('AUTH', '+OK\r\n') : '+ \r\n'
    },
    USER: () => refuse('USER', '+OK\r\n'),
    PASS: () => {
      signedIn = place !== 'PASS'
      return place === 'nonsense' ? `${words}\r\n` : refuse('PASS', '+OK\r\n')
    },
    STAT: () => refuse('STAT', `+OK 1 ${size}\r\n`),
    UIDL: () =>
      refuse(
        'UIDL',
        `+OK\r\n1 ${place === 'ids' ? `u1-${words}` : 'u1'}\r\n${place === 'listing' ? `${words}\r\n` : ''}.\r\n`,
      ),
    LIST: () => refuse('LIST', `+OK\r\n1 ${size}\r\n.\r\n`),
    TOP: () => refuse('TOP', `+OK\r\n${mail}.\r\n`),
    RETR: () => refuse('RETR', `+OK\r\n${mail}.\r\n`),
    DELE: () => refuse('DELE', '+OK\r\n'),
    NOOP: () => '+OK\r\n',
    QUIT: () => refuse('QUIT', '+OK\r\n'),
  }
  return {
    greeting,
    answer: (line) => {
      const [verb = '', ...rest] = line.split(' ')
      const known = commands[verb.toUpperCase()]
      if (known !== undefined) return known(line)
      // A line of a sign-in.
      void rest
      return signedIn ? '+OK\r\n' : `-ERR ${place === 'challenge' || place === 'AUTH' ? words : 'no'}\r\n`
    },
  }
}

function smtp(place: SmtpPlace | null, words: string): { readonly greeting: string; readonly answer: Talk } {
  let inData = false
  const refuse = (at: SmtpPlace, code: number, good: string): string => (place === at ? `${code} ${words}\r\n` : good)
  return {
    greeting: refuse('greeting', 554, '220 ready\r\n'),
    answer: (line) => {
      if (inData) {
        if (line !== '.') return ''
        inData = false
        return place === 'taken' ? `250 ${words}\r\n` : refuse('dot', 554, '250 taken\r\n')
      }
      const verb = (line.split(/[ :]/)[0] ?? '').toUpperCase()
      if (verb === 'EHLO' || verb === 'LHLO') return refuse('EHLO', 550, '250-hello\r\n250 AUTH PLAIN LOGIN\r\n')
      if (verb === 'HELO') return refuse('EHLO', 550, '250 hello\r\n')
      if (verb === 'AUTH') return refuse('AUTH', 535, '235 ok\r\n')
      if (verb === 'MAIL') return refuse('MAIL', 550, '250 ok\r\n')
      if (verb === 'RCPT') return refuse('RCPT', 550, '250 ok\r\n')
      if (verb === 'QUIT') return refuse('QUIT', 500, '221 bye\r\n')
      if (verb !== 'DATA') return '250 ok\r\n'
      inData = place !== 'DATA'
      return refuse('DATA', 554, '354 go\r\n')
    },
  }
}

/** All that a test starts; its end ends them. */
export class Hostiles implements AsyncDisposable {
  readonly #servers: Server[] = []

  /** The port of a POP3 server that repeats `words` at `place`; null: it is honest. `words` are UTF-8. */
  async pop3(place: Pop3Place | null, words = '', tls: TlsOptions | null = null): Promise<number> {
    return await this.#port(() => pop3(place, words), tls)
  }

  async smtp(place: SmtpPlace | null, words = '', tls: TlsOptions | null = null): Promise<number> {
    return await this.#port(() => smtp(place, words), tls)
  }

  /** An HTTP proxy that refuses with these words. */
  async proxy(words: string): Promise<number> {
    return await this.#port(() => ({
      greeting: '',
      answer: (line) => (line === '' ? `HTTP/1.1 503 ${words}\r\nContent-Length: 0\r\n\r\n` : ''),
    }))
  }

  async #port(
    talk: () => { readonly greeting: string; readonly answer: Talk },
    tls: TlsOptions | null = null,
  ): Promise<number> {
    const server = await listening(talk, tls)
    this.#servers.push(server)
    return (server.address() as AddressInfo).port
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(
      this.#servers.map(
        (server) =>
          new Promise<void>((resolve) => {
            server.close(() => resolve())
            server.unref()
            resolve()
          }),
      ),
    )
  }
}
