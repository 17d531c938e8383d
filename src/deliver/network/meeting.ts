// Who greets at a place, and what is offered there: a few lines with a server of which nothing is known yet. Neither a name nor a
// password nor a message goes there, so an untrusted certificate is no reason to stop; it is told. Every answer has a limit.
import type { Socket } from 'node:net'
import { tlsFactsAt, type Peer, dial, secured, connectionFault, NetworkFailure } from './dial.ts'
import type { TlsFacts } from '../../pop3/network/tls-facts.ts'
import { type Greeter, whoGreets } from './place-words.ts'

export interface Met {
  /** Null: it is nobody known. */
  readonly who: Greeter | null
  /** The first line; '' when nothing came. As it came: to be shown by display(). */
  readonly greeting: string
  readonly tls: Peer['tls']
  readonly facts: TlsFacts | null
  /** The answer to EHLO, LHLO or CAPABILITY; '' when there is none. As it came. */
  readonly offers: string
  readonly tookMs: number
}

/** A greeting, or a list of what is offered, is shorter. */
const LONGEST_ANSWER = 16_384
/** Nothing came so long: it may wait for the other side to begin, as a web server does, and is spoken to. */
const SHY_MS = 2000

interface Look {
  readonly host: string
  readonly port: number
  /** The limit of each wait; all together have twice that. */
  readonly mostMs: number
  readonly signal: AbortSignal
  /** False: whoever has the certificate. */
  readonly trusting: boolean
  /** Our name, for EHLO. */
  readonly helo: string
}

/** Fits no certificate; nobody compares it here. With a pin TLS itself decides nothing. */
const NOBODY = ['0'.repeat(64)]

/** Rejects with NetworkFailure: there is no connection, no TLS, or the certificate is not trusted. */
export async function meet(how: 'implicit' | 'none', look: Look): Promise<Met> {
  const { host, port, mostMs, trusting } = look
  const signal = AbortSignal.any([look.signal, AbortSignal.timeout(2 * mostMs)])
  const peer: Peer = {
    host,
    port,
    socketPath: null,
    tls: how,
    ca: null,
    pin: trusting ? null : NOBODY,
    tlsName: null,
  }
  const startMs = performance.now()
  const socket = await dial(peer, { connectMs: mostMs, tlsMs: mostMs }, signal)
  const tookMs = Math.round(performance.now() - startMs)
  using talk = new Talk(socket, mostMs, signal)
  const greeting = await greetingOf(talk)
  const who = whoGreets(greeting)
  const common = { who, greeting, tookMs }
  const conversation = who === null ? undefined : CONVERSATIONS[who]
  // A server that says that it accepts nothing now is asked nothing.
  if (conversation === undefined || !conversation.opens.test(greeting))
    return { ...common, tls: how, facts: tlsFactsAt(socket), offers: '' }
  const { offers, isLmtp } = await conversation.ask(talk, look)
  const met = { ...common, who: isLmtp ? ('LMTP' as const) : who, offers }
  if (how === 'implicit' || !conversation.startsTls.test(offers)) {
    await talk.leave(conversation.bye)
    return { ...met, tls: how, facts: tlsFactsAt(socket) }
  }
  using within = await startTls(talk, conversation, { peer, mostMs, signal })
  const again = await conversation.ask(within, look)
  await within.leave(conversation.bye)
  return { ...met, tls: 'starttls', facts: tlsFactsAt(within.socket), offers: again.offers }
}

/** A web server says who it is when it is asked for nonsense. */
async function greetingOf(talk: Talk): Promise<string> {
  const first = await talk.line(SHY_MS)
  if (/^\d{3}-/.test(first)) await talk.whole(SMTP_REPLY)
  if (first !== '') return first
  talk.say('QUIT\r\n')
  return await talk.line(2 * SHY_MS)
}

interface Conversation {
  readonly opens: RegExp
  readonly ask: (talk: Talk, look: Look) => Promise<{ readonly offers: string; readonly isLmtp: boolean }>
  readonly startsTls: RegExp
  /** The command, and what a good answer begins with. */
  readonly upgrade: readonly [command: string, good: RegExp]
  readonly bye: string
}

const SMTP_REPLY = /(?:^|\n)\d{3}(?: [^\n]*)?\r?\n$/
const IMAP_REPLY = /(?:^|\n)p\d (?:OK|NO|BAD)\b[^\n]*\n$/i

const smtp: Conversation = {
  opens: /^220/,
  async ask(talk, { helo, port }) {
    // Who knows LHLO alone, says so.
    for (const verb of port === 24 ? ['LHLO', 'EHLO'] : ['EHLO', 'LHLO']) {
      const offers = await talk.ask(`${verb} ${helo}\r\n`, SMTP_REPLY)
      if (offers.startsWith('250')) return { offers, isLmtp: verb === 'LHLO' }
      if (!/^50[0-4]/.test(offers)) break
    }
    return { offers: '', isLmtp: false }
  },
  startsTls: /^250[ -]STARTTLS\b/im,
  upgrade: ['STARTTLS\r\n', /^220/],
  bye: 'QUIT\r\n',
}

const imap: Conversation = {
  opens: /^\* (?:OK|PREAUTH)\b/i,
  ask: async (talk) => ({ offers: await talk.ask('p1 CAPABILITY\r\n', IMAP_REPLY), isLmtp: false }),
  startsTls: /^\* CAPABILITY\b[^\n]* STARTTLS\b/im,
  upgrade: ['p2 STARTTLS\r\n', /^p2 OK\b/im],
  bye: 'p3 LOGOUT\r\n',
}

const CONVERSATIONS: Readonly<Partial<Record<Greeter, Conversation>>> = { SMTP: smtp, LMTP: smtp, IMAP: imap }

async function startTls(
  talk: Talk,
  conversation: Conversation,
  { peer, mostMs, signal }: { readonly peer: Peer; readonly mostMs: number; readonly signal: AbortSignal },
): Promise<Talk> {
  const [command, good] = conversation.upgrade
  const answer = await talk.ask(command, conversation === imap ? IMAP_REPLY : SMTP_REPLY)
  if (!good.test(answer)) throw failed(new Error('it offers STARTTLS and refuses it'), false)
  talk.release()
  const socket = secured(talk.socket, { ...peer, tls: 'starttls' })
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  const stop = (): void => reject(failed(new Error('no answer'), false))
  socket.once('secureConnect', resolve)
  // Stays for good: an error during teardown must not be one without a listener.
  socket.on('error', (error) => reject(failed(error, true)))
  socket.once('close', () => reject(failed(new Error('the server closed it'), true)))
  signal.addEventListener('abort', stop, { once: true })
  const late = setTimeout(stop, mostMs)
  try {
    await promise
    return new Talk(socket, mostMs, signal)
  } catch (error) {
    socket.destroy()
    throw error
  } finally {
    clearTimeout(late)
    signal.removeEventListener('abort', stop)
  }
}

function failed(error: Error, inTls: boolean): NetworkFailure {
  return new NetworkFailure('TLS', connectionFault(error, inTls), error)
}

/** Lines from a socket. What comes after the limit, or late, is not read. */
class Talk implements Disposable {
  readonly socket: Socket
  readonly #mostMs: number
  readonly #signal: AbortSignal
  #text = ''
  #ended = false
  #wake: () => void = () => {}
  readonly #take = (chunk: Buffer): void => {
    this.#text += chunk.toString('latin1', 0, LONGEST_ANSWER)
    if (this.#text.length > LONGEST_ANSWER) this.#end()
    this.#wake()
  }
  readonly #end = (): void => {
    this.#ended = true
    this.#wake()
  }

  constructor(socket: Socket, mostMs: number, signal: AbortSignal) {
    this.socket = socket
    this.#mostMs = mostMs
    this.#signal = signal
    socket.on('data', this.#take)
    socket.once('end', this.#end)
    socket.once('close', this.#end)
    signal.addEventListener('abort', this.#end, { once: true })
    if (signal.aborted) this.#end()
  }

  say(text: string): void {
    if (!this.socket.destroyed) this.socket.write(text)
  }

  /** The first line, without its end, or what there is of it in time. It stays there. */
  async line(limitMs: number): Promise<string> {
    await this.#until(() => this.#text.includes('\n'), limitMs)
    const end = this.#text.indexOf('\n')
    return (end < 0 ? this.#text : this.#text.slice(0, end)).trimEnd()
  }

  /** The answer to a command, as far as it came. */
  async ask(command: string, whole: RegExp): Promise<string> {
    this.#text = ''
    this.say(command)
    return await this.whole(whole)
  }

  async whole(whole: RegExp): Promise<string> {
    await this.#until(() => whole.test(this.#text), this.#mostMs)
    return this.#text
  }

  async leave(bye: string): Promise<void> {
    this.say(bye)
    await this.#until(() => this.#text.includes('\n'), SHY_MS)
  }

  /** From now on somebody else reads. */
  release(): void {
    this.socket.off('data', this.#take)
    this.socket.off('end', this.#end)
    this.socket.off('close', this.#end)
    this.#signal.removeEventListener('abort', this.#end)
    this.#ended = true
  }

  async #until(isThere: () => boolean, limitMs: number): Promise<void> {
    const late = new AbortController()
    const timer = setTimeout(() => {
      late.abort()
      this.#wake()
    }, limitMs)
    while (!isThere() && !this.#ended && !late.signal.aborted) {
      const { promise, resolve } = Promise.withResolvers<void>()
      this.#wake = resolve
      await promise
    }
    clearTimeout(timer)
  }

  [Symbol.dispose](): void {
    this.release()
    this.socket.destroy()
  }
}
