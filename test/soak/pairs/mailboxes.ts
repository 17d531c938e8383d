// One account's server in the soak: its mail, the messages that are bad whatever the day, and the habits of bad days.
import { letter, type Shape } from './letters.ts'
import { type Action, Faults, type Pop3Server, type StoredMessage } from '../../support/pop3-server.ts'
import type { Chance } from './chance.ts'
import type { Time } from './time.ts'

/** How a poisonous message is given out, always. */
export type Poison = 'drop' | 'reset' | 'refused' | 'refused and closed' | 'half' | 'silent'

export const POISONS: readonly Poison[] = ['drop', 'reset', 'refused', 'refused and closed', 'half', 'silent']

export interface Day {
  readonly mailbox: MailboxWorld
  readonly server: Pop3Server
  readonly chance: Chance
  /** Of all polls of the world. */
  readonly poll: number
}

type Hook = (verb: string, args: string, message: StoredMessage | undefined) => Action | null

/** Each sets its fault at the beginning of a poll; what it returns is asked before each command. */
export const MAILBOX_HABITS: Readonly<Record<string, (day: Day) => Hook | void>> = {
  well: () => {},
  'no TOP': () => (verb) => (verb === 'TOP' ? '-ERR no such command' : null),
  'TOP gives the whole message': () => (verb, _, message) =>
    verb === 'TOP' && message !== undefined ? multiLine(message.bytes) : null,
  'TOP gives two fields': () => (verb, _, message) =>
    verb === 'TOP' && message !== undefined ? multiLine(firstLines(message.bytes, 2)) : null,
  'TOP gives other fields':
    ({ poll }) =>
    (verb, _, message) =>
      verb === 'TOP' && message !== undefined ? multiLine(withField(message.bytes, `X-Scanned: ${poll}`)) : null,
  'TOP hangs': () => (verb) => (verb === 'TOP' ? 'stall' : null),
  'QUIT deletes nothing': ({ server }) => void (server.faults.ignoreDeletes = true),
  'QUIT is refused': ({ server }) => void (server.faults.quitError = '-ERR some not removed'),
  'QUIT is not answered': ({ server }) => void (server.faults.quitLost = true),
  'QUIT hangs': () => (verb) => (verb === 'QUIT' ? 'stall' : null),
  'oldest three listed': ({ server }) => void (server.faults.window = 3),
  'newest three listed': ({ server }) => void Object.assign(server.faults, { window: 3, windowEnd: 'newest' }),
  'EXPIRE 0 and a window': ({ server }) => {
    Object.assign(server.faults, { window: 3, popped: true })
    server.capabilities?.afterLogin.push('EXPIRE 0')
    server.capabilities?.before.push('EXPIRE 0')
  },
  'sign-in not now': () => (verb) => (verb === 'PASS' || verb === 'AUTH' ? '-ERR [SYS/TEMP] later' : null),
  'in use': () => (verb) => (verb === 'PASS' || verb === 'AUTH' ? '-ERR [IN-USE] locked' : null),
  'sign-in refused': () => (verb) => (verb === 'PASS' || verb === 'AUTH' ? '-ERR [AUTH] wrong password' : null),
  'login delay': ({ server }) => {
    server.now = Date.now
    server.faults.loginDelayMs = 600_000
    server.capabilities?.before.push('LOGIN-DELAY 600')
    server.capabilities?.afterLogin.push('LOGIN-DELAY 600')
  },
  'cut somewhere': ({ server, chance }) =>
    void Object.assign(server.faults, { cutAfterBytes: 200 + chance.below(9_000), cutTimes: 1 }),
  'reset somewhere': ({ server, chance }) =>
    void Object.assign(server.faults, { cutAfterBytes: 200 + chance.below(9_000), cutTimes: 1, cutMode: 'rst' }),
  'cut always somewhere': ({ server, chance }) =>
    void Object.assign(server.faults, { cutAfterBytes: 1200 + chance.below(9_000) }),
  'hangs at a command': ({ chance }) => {
    let left = chance.below(25)
    return () => (left-- === 0 ? 'stall' : null)
  },
  'one command at a time': ({ server }) => void (server.faults.pipelining = 'close'),
  'the rest of a packet is lost': ({ server }) => void (server.faults.pipelining = 'drop-after-first'),
  'DELE of one refused':
    ({ mailbox }) =>
    (verb, _, message) =>
      verb === 'DELE' && mailbox.isChosen(message) ? '-ERR no' : null,
  'DELE refused': () => (verb) => (verb === 'DELE' ? '-ERR [SYS/PERM] read-only' : null),
  'DELE of one ends the session':
    ({ mailbox }) =>
    (verb, _, message) =>
      verb === 'DELE' && mailbox.isChosen(message) ? 'drop' : null,
  'DELE of one is answered by an empty line':
    ({ mailbox }) =>
    (verb, _, message) =>
      verb === 'DELE' && mailbox.isChosen(message) ? '' : null,
  'TOP of one ends the session':
    ({ mailbox }) =>
    (verb, _, message) =>
      verb === 'TOP' && mailbox.isChosen(message) ? 'drop' : null,
  'RETR of one refused':
    ({ mailbox }) =>
    (verb, _, message) =>
      verb === 'RETR' && mailbox.isChosen(message) ? '-ERR [SYS/TEMP] locked' : null,
  'three RETR a session': () => limited('-ERR [SYS/TEMP] download limit'),
  'three RETR a session, then the end': () => limited({ answer: '-ERR [SYS/TEMP] download limit', next: 'drop' }),
  'sizes count LF': ({ server }) =>
    void (server.faults.listSize = ({ bytes }) => bytes.length - bytes.toString('latin1').split('\n').length + 1),
  'sizes are one': ({ server }) => void (server.faults.listSize = () => 1),
  'a body is cut short': ({ mailbox, server }) =>
    void (server.faults.rawBody = (message) =>
      mailbox.isChosen(message) ? Buffer.concat([message.bytes.subarray(0, -20), Buffer.from('\r\n.\r\n')]) : null),
  'LIST refused': () => (verb) => (verb === 'LIST' ? '-ERR no' : null),
  'UIDL refused': () => (verb) => (verb === 'UIDL' ? '-ERR no' : null),
  'CAPA refused': ({ server }) => void (server.capabilities = null),
  'busy at once': ({ server }) => void (server.faults.greeting = '-ERR [SYS/TEMP] too many connections'),
  'no POP3 server': ({ server }) => void (server.faults.greeting = 'HTTP/1.1 400 Bad Request'),
  'other UIDs': ({ mailbox }) => mailbox.renumber(),
}

function limited(answer: Action): Hook {
  let sent = 0
  return (verb) => {
    if (verb === 'CONNECT') sent = 0
    return verb === 'RETR' && ++sent > 3 ? answer : null
  }
}

function multiLine(bytes: Buffer): Buffer {
  return Buffer.from(`+OK\r\n${bytes.toString('latin1').replaceAll('\r\n.', '\r\n..')}${endOf(bytes)}.\r\n`, 'latin1')
}

function endOf(bytes: Buffer): string {
  return bytes.toString('latin1').endsWith('\r\n') ? '' : '\r\n'
}

function firstLines(bytes: Buffer, count: number): Buffer {
  return Buffer.from(`${bytes.toString('latin1').split('\r\n', count).join('\r\n')}\r\n\r\n`, 'latin1')
}

function withField(bytes: Buffer, field: string): Buffer {
  return Buffer.from(`${field}\r\n${bytes.toString('latin1').split('\r\n\r\n', 1)[0] ?? ''}\r\n\r\n`, 'latin1')
}

export class MailboxWorld {
  readonly server: Pop3Server
  readonly account: string
  /** All that were ever put there, and those that are bad whatever the day. */
  readonly subjects: number[] = []
  readonly poisonous = new Map<number, Poison>()
  /** Sessions that began, by poll. */
  readonly retrieved: { readonly poll: number; readonly subject: number; readonly atMs: number }[] = []
  readonly #time: Time
  readonly #subjectOf = new WeakMap<StoredMessage, number>()
  #chosen: number | null = null
  #poll = 0
  #renumbered = false
  #hook: Hook | null = null

  constructor(account: string, server: Pop3Server, time: Time) {
    this.account = account
    this.server = server
    this.#time = time
    server.mailbox('alice', 'secret')
  }

  add(number: number, shape: Shape, poison: Poison | null): void {
    const stored = this.server.mailbox('alice').add(letter(number, shape), { uidl: `uid-${number}` })
    this.#subjectOf.set(stored, number)
    this.subjects.push(number)
    if (poison !== null) this.poisonous.set(number, poison)
    this.#chosen ??= number
  }

  /** Those that the server still lists. */
  get left(): readonly number[] {
    const listed = this.server.mailbox('alice').messages.filter(({ hidden }) => !hidden)
    return listed.map((stored) => this.#subjectOf.get(stored) ?? -1)
  }

  uidlOf(subject: number): string | null {
    const found = this.server.mailbox('alice').messages.find((stored) => this.#subjectOf.get(stored) === subject)
    return found?.uidl ?? null
  }

  /** The one that some habits are about. */
  get chosen(): number | null {
    return this.#chosen
  }

  isChosen(message: StoredMessage | undefined): boolean {
    return message !== undefined && this.#subjectOf.get(message) === this.#chosen
  }

  /** All messages get other UIDs, once. */
  renumber(): void {
    if (this.#renumbered || this.subjects.length === this.left.length) return
    this.#renumbered = true
    for (const message of this.server.mailbox('alice').messages) message.uidl = `new-${message.uidl}`
  }

  /** The next poll begins: with that habit, or well. */
  begin(poll: number, habit: string | null, chance: Chance): void {
    const { server } = this
    this.#poll = poll
    Object.assign(server.faults, new Faults())
    const common = ['TOP', 'UIDL', 'RESP-CODES', 'PIPELINING', 'USER', 'SASL PLAIN LOGIN']
    server.capabilities = { before: [...common], afterTls: [...common], afterLogin: [...common] }
    server.faults.onCommand = (verb, args, session) => this.#obey(verb, args, session.id)
    this.#hook = habit === null ? null : (MAILBOX_HABITS[habit]?.({ mailbox: this, server, chance, poll }) ?? null)
  }

  #obey(verb: string, args: string, session: number): Action {
    this.#time.heard()
    const message = this.#messageOf(verb, args)
    const subject = message === undefined ? -1 : (this.#subjectOf.get(message) ?? -1)
    if (verb === 'RETR') this.retrieved.push({ poll: this.#poll, subject, atMs: this.#time.nowMs() })
    const poison = verb === 'RETR' ? this.poisonous.get(subject) : undefined
    const action = poison === undefined ? (this.#hook?.(verb, args, message) ?? 'serve') : poisoned(poison, message)
    const isSilent = action === 'stall' || (typeof action === 'object' && 'next' in action && action.next === 'stall')
    if (isSilent) {
      const over = this.#time.silence()
      void this.server.journal.when((entry) => entry.kind === 'close' && entry.session === session).then(over, over)
    }
    return action
  }

  /** With a window, numbers are those of the window. */
  #messageOf(verb: string, args: string): StoredMessage | undefined {
    if (verb !== 'RETR' && verb !== 'TOP' && verb !== 'DELE') return undefined
    const listed = this.server.mailbox('alice').messages.filter(({ hidden }) => !hidden)
    const { window, windowEnd } = this.server.faults
    const shown = window === null ? listed : windowEnd === 'oldest' ? listed.slice(0, window) : listed.slice(-window)
    return shown[Number(args.split(' ')[0]) - 1]
  }
}

function poisoned(poison: Poison, message: StoredMessage | undefined): Action {
  switch (poison) {
    case 'refused':
      return '-ERR internal error'
    case 'refused and closed':
      return { answer: '-ERR internal error', next: 'drop' }
    case 'half':
      return {
        answer: Buffer.concat([Buffer.from('+OK\r\n'), message?.bytes.subarray(0, 90) ?? Buffer.alloc(0)]),
        next: 'drop',
      }
    case 'silent':
      return 'stall'
    case 'drop':
    case 'reset':
      return poison
  }
}
