// A mail server as a place for the contract suite, which speaks SMTP or LMTP. A step is one of its answers.
import { onTestFinished } from 'vitest'
import { RFC_LIMITS } from '../../../src/deliver/smtp/limits.ts'
import { openSmtp } from '../../../src/deliver/smtp/smtp.ts'
import { type SmtpAnswer, SmtpSink } from '../../support/smtp-server.ts'
import type { Held, Kind, Place } from '../place.ts'
import { NOW_MS } from '../scene.ts'

const MOST_BYTES = 3_000_000

/** What it answers at a step that fails. */
const FAILURES: Readonly<Record<string, string>> = {
  'says not now': '451 4.3.0 try later',
  refuses: '554 5.7.1 refused',
  'cuts the connection': 'drop',
  'cuts the connection, and has taken the message': 'lost',
}

export function nextHop(protocol: 'smtp' | 'lmtp'): Kind {
  return {
    name: protocol,
    failures: Object.keys(FAILURES),
    async place({ longNames } = { longNames: false }) {
      const server = await SmtpSink.start({ lmtp: protocol === 'lmtp', more: { size: MOST_BYTES } })
      onTestFinished(() => server[Symbol.asyncDispose]())
      if (longNames) server.words = 'queued as '.padEnd(400, 'long ')
      return new SmtpPlace(server, protocol)
    },
  }
}

class SmtpPlace implements Place {
  readonly mostBytes = MOST_BYTES
  readonly killAt = null
  readonly #server: SmtpSink
  readonly #protocol: 'smtp' | 'lmtp'
  #steps = 0

  constructor(server: SmtpSink, protocol: 'smtp' | 'lmtp') {
    this.#server = server
    this.#protocol = protocol
  }

  open(limitMs?: number) {
    const limits = Object.fromEntries(
      Object.entries(RFC_LIMITS).map(([name, limit]) => [name, name.endsWith('Ms') ? (limitMs ?? limit) : limit]),
    )
    return openSmtp(
      {
        protocol: this.#protocol,
        host: '127.0.0.1',
        port: this.#server.port,
        socketPath: null,
        tls: 'none',
        ca: null,
        pin: null,
        tlsName: null,
        helo: null,
        user: null,
        secret: null,
        auth: 'auto',
        to: ['me@example.com', 'you@example.com'],
        from: { kind: 'original' },
        concurrency: 4,
        timeoutMs: null,
        trace: false,
        label: false,
        bareNewlines: 'fix',
        wrap: 'never',
        deliveredTo: 'rename',
        description: `${this.#protocol} here`,
      },
      { hostName: 'host.example', nowMs: () => NOW_MS },
      { ...RFC_LIMITS, ...limits },
    )
  }

  seen() {
    return Promise.resolve(
      this.#server.messages.flatMap(({ to, bytes }) => to.map((recipient) => ({ recipient, bytes }))),
    )
  }

  /** The server answers for what it has taken. */
  afterPowerCut() {
    return this.seen()
  }

  leftovers() {
    return Promise.resolve([])
  }

  failAt(step: number, how: string): void {
    this.#answer((at) => Promise.resolve(at === step ? (FAILURES[how] ?? null) : null))
  }

  holdAt(step: number): Held {
    const reached = Promise.withResolvers<void>()
    const released = Promise.withResolvers<null>()
    this.#answer((at) => {
      if (at !== step) return Promise.resolve(null)
      reached.resolve()
      return released.promise
    })
    return { reached: reached.promise, release: () => released.resolve(null) }
  }

  steps(): number {
    return this.#steps
  }

  goDown(): void {
    this.#answer(() => Promise.resolve('drop'))
  }

  fillUp(): void {
    const { faults } = this.#server
    faults.mail = '452 4.3.1 insufficient system storage'
  }

  heal(): void {
    this.#answer(() => Promise.resolve(null))
  }

  #answer(answer: (step: number) => Promise<SmtpAnswer>): void {
    this.#steps = 0
    const next = (): Promise<SmtpAnswer> => answer(++this.#steps)
    Object.assign(this.#server.faults, { connect: next, mail: next, rcpt: next, dot: next })
  }
}
