// One connection of the fake POP3 server: reads commands, hands them to SignIn and then to the Maildrop, and does
// what the faults say. A connection that broke is dead at once: nothing that arrives later is obeyed.
import type { Socket } from 'node:net'
import type { Action, Answer, Capabilities, ServedSession } from './faults.ts'
import type { Journal, JournalKind } from './journal.ts'
import { Maildrop, type Pieces } from './maildrop.ts'
import { Outgoing } from './outgoing.ts'
import { SignIn, type SignInAnswer, type SignInPremises } from './sign-in.ts'

/** What a session needs of its server. */
export interface Premises extends SignInPremises {
  readonly tls: 'none' | 'implicit' | 'starttls'
  readonly journal: Journal
  readonly capabilities: Capabilities | null
  /** Resolves with the TLS side of a raw connection, null when the handshake failed. */
  secure(raw: Socket): Promise<Socket | null>
}

const NOTHING = Buffer.alloc(0)
const ENDING = { fin: 'drop', rst: 'reset', stall: 'stall' } as const

export class Pop3Session implements ServedSession {
  readonly id: number
  secure = false
  /** What went wrong in the fake itself, or in a hook of the test. */
  problem: unknown = null
  readonly #premises: Premises
  readonly #raw: Socket
  readonly #out: Outgoing
  readonly #signIn: SignIn
  #socket: Socket
  #input: Buffer = NOTHING
  #commandsInPacket = 0
  #pumping = false
  #over = false
  #maildrop: Maildrop | null = null
  #badCommands = 0
  readonly #receive = (chunk: Buffer): void => {
    if (this.#over) return
    this.#input = this.#input.length === 0 ? chunk : Buffer.concat([this.#input, chunk])
    if (!this.#pumping) void this.#pump()
  }

  constructor(premises: Premises, raw: Socket, id: number) {
    this.#premises = premises
    this.#raw = raw
    this.#socket = raw
    this.id = id
    this.#out = new Outgoing(raw, premises.faults, (mode) => this.#end(ENDING[mode]))
    this.#signIn = new SignIn(premises, (outcome) => this.#record('auth', outcome))
    raw.setNoDelay(true)
    raw.on('error', () => {})
    raw.on('close', () => {
      this.#finish()
      this.#record('close', '')
    })
    this.#record('connect', '')
  }

  get user(): string {
    return this.#signIn.user
  }

  async greet(): Promise<void> {
    if (this.#premises.tls === 'implicit' && !(await this.#upgrade())) return
    await this.#act((await this.#premises.faults.onCommand?.('CONNECT', '', this)) ?? 'serve', 'CONNECT', '')
    this.#out.flush()
    if (!this.#over) this.#socket.on('data', this.#receive)
    else this.#socket.resume()
  }

  write(bytes: Answer): void {
    this.#say(bytes)
    this.#out.flush()
  }

  drop(): void {
    this.#end('drop')
  }

  reset(): void {
    this.#end('reset')
  }

  #record(kind: JournalKind, text: string, uidl?: string): void {
    const entry = { session: this.id, kind, text, user: this.user, secure: this.secure }
    this.#premises.journal.record(uidl === undefined ? entry : { ...entry, uidl })
  }

  /** The session is dead to us: nothing more is obeyed, marked messages stay, the mailbox is free. */
  #finish(): void {
    if (this.#over) return
    this.#over = true
    this.#maildrop?.rollback()
    if (this.#maildrop) this.#maildrop.mailbox.sessions -= 1
  }

  #end(how: 'drop' | 'reset' | 'stall'): void {
    this.#finish()
    // Read on and forget: an unread byte would turn the FIN into an RST.
    this.#socket.resume()
    void this.#out.finished().then(() => {
      if (how === 'drop') this.#socket.end()
      else if (how === 'reset') this.#raw.resetAndDestroy()
    })
  }

  async #pump(): Promise<void> {
    this.#pumping = true
    this.#commandsInPacket = 0
    try {
      for (let line = this.#nextLine(); line !== null && !this.#over; line = this.#nextLine()) {
        const step = this.#obey(line)
        if (step || this.#out.blocked) {
          this.#out.flush()
          this.#socket.pause()
          await step
          await this.#out.drained()
          this.#socket.resume()
        }
      }
    } catch (error) {
      this.#raw.destroy()
      this.problem = error
    }
    this.#pumping = false
    this.#out.flush()
  }

  #nextLine(): string | null {
    const end = this.#input.indexOf(10)
    if (end === -1) return null
    const line = this.#input.toString('latin1', 0, end > 0 && this.#input[end - 1] === 13 ? end - 1 : end)
    this.#input = this.#input.subarray(end + 1)
    this.#commandsInPacket += 1
    const { pipelining } = this.#premises.faults
    if (pipelining === 'drop-after-first') this.#input = NOTHING
    else if (pipelining === 'close' && this.#commandsInPacket > 1) {
      this.#end('drop')
      return null
    }
    return line
  }

  #obey(line: string): Promise<void> | void {
    this.#record('command', line)
    const space = line.indexOf(' ')
    const verb = this.#signIn.inExchange ? '+' : (space === -1 ? line : line.slice(0, space)).toUpperCase()
    const args = verb === '+' ? line : space === -1 ? '' : line.slice(space + 1)
    const action = this.#premises.faults.onCommand?.(verb, args, this) ?? 'serve'
    if (!(action instanceof Promise)) return this.#act(action, verb, args)
    return action.then((decided) => this.#act(decided, verb, args))
  }

  #act(action: Action, verb: string, args: string): Promise<void> | void {
    if (this.#over) return
    if (action === 'drop' || action === 'reset' || action === 'stall') return this.#end(action)
    const chosen = action === 'serve' ? this.#premises.faults.canned(verb, args) : action
    if (chosen === undefined) return this.#serve(verb, args)
    // A canned word in the middle of an exchange ends the exchange, as a refusal would.
    this.#signIn.abandonExchange()
    if (typeof chosen === 'string' || Buffer.isBuffer(chosen)) return this.#say(chosen)
    this.#say(chosen.answer)
    if (chosen.next) this.#end(chosen.next)
  }

  #say(answer: Answer): void {
    this.#out.push(typeof answer === 'string' ? `${answer}${this.#premises.faults.lineEnding}` : answer)
  }

  #serve(verb: string, args: string): Promise<void> | void {
    if (verb === 'CONNECT') return this.#say(this.#premises.faults.greeting ?? '+OK POP3 server ready')
    if (verb === 'CAPA') return this.#capa()
    if (verb === 'QUIT') return this.#quit()
    const pieces = this.#maildrop?.answer(verb, args)
    if (pieces) return this.#send(pieces)
    if (!this.#maildrop && verb === 'STLS') return this.#stls()
    const signIn = this.#maildrop ? null : this.#signIn.answer(verb, args)
    if (signIn) return this.#admit(signIn)
    this.#say('-ERR unknown command')
    if (++this.#badCommands >= (this.#premises.faults.badCommandLimit ?? Infinity)) this.#end('drop')
  }

  #admit({ line, mailbox }: SignInAnswer): void {
    this.#say(line)
    if (!mailbox) return
    const { faults } = this.#premises
    mailbox.sessions += 1
    this.#maildrop = new Maildrop(mailbox, faults, (kind, text, uidl) => this.#record(kind, text, uidl))
  }

  #send(pieces: Pieces): Promise<void> | void {
    const iterator = pieces[Symbol.iterator]()
    for (let next = iterator.next(); !next.done; next = iterator.next()) {
      this.#out.push(next.value)
      if (this.#over) return
      if (this.#out.blocked) return this.#sendSlowly(iterator)
    }
  }

  async #sendSlowly(iterator: Iterator<string | Buffer>): Promise<void> {
    await this.#out.drained()
    for (let next = iterator.next(); !next.done && !this.#over; next = iterator.next()) {
      this.#out.push(next.value)
      await this.#out.drained()
    }
  }

  #capa(): void {
    const { capabilities, faults } = this.#premises
    if (!capabilities) return this.#say('-ERR unknown command')
    const lines = this.#maildrop ? capabilities.afterLogin : this.secure ? capabilities.afterTls : capabilities.before
    this.#say(['+OK', ...lines, '.'].join(faults.lineEnding))
  }

  #quit(): void {
    const answer = this.#maildrop?.quit() ?? [`+OK bye${this.#premises.faults.lineEnding}`]
    if (this.#maildrop) this.#maildrop.mailbox.lastQuitMs = this.#premises.now()
    if (!this.#premises.faults.quitLost) for (const piece of answer) this.#out.push(piece)
    this.#end('drop')
  }

  async #stls(): Promise<void> {
    const { faults, tls } = this.#premises
    if (tls !== 'starttls' || this.secure) return this.#say('-ERR not now')
    this.#say('+OK begin TLS')
    if (faults.stlsInjection !== null) this.#say(faults.stlsInjection)
    await this.#out.finished()
    this.#socket.off('data', this.#receive)
    if (await this.#upgrade()) this.#socket.on('data', this.#receive)
  }

  async #upgrade(): Promise<boolean> {
    const { handshake } = this.#premises.faults
    if (handshake !== 'ok') {
      this.#end(handshake)
      return false
    }
    const secured = await this.#premises.secure(this.#raw)
    if (!secured || this.#over) return false
    secured.on('error', () => {})
    this.#socket = secured
    this.#out.moveTo(secured)
    // What came in the clear before the handshake is not a command of the secured session.
    this.#input = NOTHING
    this.secure = true
    this.#signIn.restart()
    return true
  }
}
