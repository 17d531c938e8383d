// A next hop for tests: the `smtp-server` package with a memory and with faults set by assignment. Records every message it
// took responsibility for, to the byte. For answers this one cannot give there is ScriptedServer.
import type { AddressInfo } from 'node:net'
import { SMTPServer, type SMTPServerOptions } from 'smtp-server'
import { certificates, type CertificateKind } from './certificates.ts'
import { tick } from './journal.ts'

export { ScriptedServer, type Step } from './scripted-server.ts'

export interface SunkMessage {
  /** Of the logical clock it shares with the POP3 server's journal. */
  readonly at: number
  /** '' for `<>`. */
  readonly from: string
  readonly to: readonly string[]
  /** With CRLF line ends, dots undone. */
  readonly bytes: Buffer
  readonly connection: string
  readonly secure: boolean
  /** Who signed in; null: nobody. */
  readonly user: string | null
}

/** "451 4.3.0 try later": that answer. `drop`: the connection is cut instead of an answer. `stall`: no answer ever. `lost`:
 *  as `drop`, but the message was taken (D035); at `dot` only. null: as a healthy server. */
export type SmtpAnswer = string | null
type Stage<Subject> = SmtpAnswer | ((subject: Subject) => SmtpAnswer | Promise<SmtpAnswer>)

export interface SmtpFaults {
  connect: Stage<string>
  auth: Stage<string>
  mail: Stage<string>
  rcpt: Stage<string>
  /** After the message. */
  dot: Stage<Omit<SunkMessage, 'at'>>
}

export interface SmtpSinkOptions {
  readonly tls?: 'none' | 'implicit' | 'starttls'
  readonly certificate?: CertificateKind
  /** Signing in is required, with one of these. */
  readonly users?: Readonly<Record<string, string>>
  /** LMTP: an answer for each recipient. */
  readonly lmtp?: boolean
  /** For the SIZE extension and the like. */
  readonly more?: SMTPServerOptions
}

/** A failure as the package wants it: it puts the code in front. */
function refusal(answer: string): Error {
  const [, code = '451', text = 'fault'] = /^(\d{3}) ?(.*)$/.exec(answer) ?? []
  return Object.assign(new Error(text), { responseCode: Number(code) })
}

export class SmtpSink implements AsyncDisposable {
  readonly host = '127.0.0.1'
  readonly messages: SunkMessage[] = []
  readonly faults: SmtpFaults = { connect: null, auth: null, mail: null, rcpt: null, dot: null }
  /** What it says when it has taken a message; null: the usual words. */
  words: string | null = null
  /** How many connections came; how many at most at once. */
  connections = 0
  peak = 0
  readonly #server: SMTPServer
  readonly #users: Readonly<Record<string, string>> | undefined

  private constructor(options: SmtpSinkOptions) {
    const { certificate, key } = certificates[options.certificate ?? 'good']
    const tls = options.tls ?? 'none'
    this.#users = options.users
    this.#server = new SMTPServer({
      cert: certificate,
      key,
      secure: tls === 'implicit',
      disabledCommands: [...(tls === 'starttls' ? [] : ['STARTTLS']), ...(options.users ? [] : ['AUTH'])],
      authMethods: ['PLAIN', 'LOGIN', 'CRAM-MD5'],
      allowInsecureAuth: true,
      authOptional: options.users === undefined,
      disableReverseLookup: true,
      lmtp: options.lmtp ?? false,
      ...options.more,
      onConnect: (session, done) => {
        this.connections += 1
        this.peak = Math.max(this.peak, this.#server.connections.size)
        this.#ask(this.faults.connect, session.remoteAddress, session.id, done)
      },
      onAuth: (auth, session, done) => {
        const user = auth.username ?? ''
        const wanted = this.#users?.[user]
        const sent = auth.password ?? auth.accessToken ?? ''
        const known =
          wanted !== undefined && (auth.method === 'CRAM-MD5' ? auth.validatePassword(wanted) : sent === wanted)
        this.#ask(this.faults.auth, user, session.id, (error) => {
          if (error) done(error)
          else if (known) done(null, { user })
          else done(refusal('535 5.7.8 wrong user name or password'))
        })
      },
      onMailFrom: (address, session, done) => this.#ask(this.faults.mail, address.address, session.id, done),
      onRcptTo: (address, session, done) => this.#ask(this.faults.rcpt, address.address, session.id, done),
      onData: (stream, session, done) => {
        const chunks: Buffer[] = []
        stream.on('data', (chunk: Buffer) => chunks.push(chunk))
        stream.on('end', () => {
          const { mailFrom, rcptTo } = session.envelope
          const message = {
            from: mailFrom === false ? '' : mailFrom.address,
            to: rcptTo.map((recipient) => recipient.address),
            bytes: Buffer.concat(chunks),
            connection: session.id,
            secure: session.secure,
            user: typeof session.user === 'string' ? session.user : null,
          }
          this.#ask(this.faults.dot, message, session.id, (error, lost) => {
            if (!error || lost === true) this.messages.push({ at: tick(), ...message })
            if (lost !== true) done(error, this.words ?? undefined)
          })
        })
      },
    })
    this.#server.on('error', () => {})
  }

  static async start(options: SmtpSinkOptions = {}): Promise<SmtpSink> {
    const sink = new SmtpSink(options)
    await new Promise<void>((resolve) => {
      sink.#server.listen(0, sink.host, resolve)
    })
    return sink
  }

  get port(): number {
    return (this.#server.server.address() as AddressInfo).port
  }

  /** Connections now. */
  get open(): number {
    return this.#server.connections.size
  }

  /** Cuts every connection. */
  crash(): void {
    for (const connection of this.#server.connections) connection._socket.destroy()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = new Promise<void>((resolve) => {
      this.#server.close(() => resolve())
    })
    this.crash()
    await closed
  }

  #ask<Subject>(
    stage: Stage<Subject>,
    subject: Subject,
    id: string,
    done: (error?: Error | null, lost?: boolean) => void,
  ): void {
    const decide = (answer: SmtpAnswer): void => {
      if (answer === 'stall') return
      if (answer === 'drop' || answer === 'lost') {
        if (answer === 'lost') done(null, true)
        for (const connection of this.#server.connections) if (connection.id === id) connection._socket.destroy()
      } else if (answer === null) done()
      else if (answer.startsWith('2')) done(null)
      else done(refusal(answer))
    }
    const answer = typeof stage === 'function' ? stage(subject) : stage
    if (answer instanceof Promise) void answer.then(decide)
    else decide(answer)
  }
}
