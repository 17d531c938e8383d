// A mailbox at Gmail as a destination keeps the contract of destinations. A step is one of the server's answers.
import { onTestFinished } from 'vitest'
import { openGmail } from '../../../src/deliver/gmail/gmail.ts'
import { GMAIL_LIMITS } from '../../../src/deliver/gmail/settings.ts'
import { type GmailAnswer, GmailServer, refusal } from '../../support/gmail-server.ts'
import { destinationContract } from '../contract.ts'
import type { Held, Kind, Place } from '../place.ts'
import { NOW_MS } from '../scene.ts'

const FAILURES: Readonly<Record<string, GmailAnswer>> = {
  'says not now': refusal(429, 'rateLimitExceeded'),
  refuses: refusal(400, 'invalidArgument', 'not this one'),
  'is broken': { status: 503, body: '<html>' },
  'cuts the connection': 'drop',
  'cuts the connection, and has taken the message': 'lost',
}

const kind: Kind = {
  name: 'gmail',
  failures: Object.keys(FAILURES),
  async place() {
    const server = await GmailServer.start()
    onTestFinished(() => server[Symbol.asyncDispose]())
    return new GmailPlace(server)
  },
}

class GmailPlace implements Place {
  readonly mostBytes = null
  readonly killAt = null
  readonly #server: GmailServer
  #steps = 0

  constructor(server: GmailServer) {
    this.#server = server
  }

  open(limitMs?: number) {
    const { endpoint, user } = this.#server
    const limits = Object.fromEntries(
      Object.entries(GMAIL_LIMITS).map(([name, limit]) => [name, name.endsWith('Ms') ? (limitMs ?? limit) : limit]),
    )
    return openGmail(
      {
        user,
        secret: () => Promise.resolve('good'),
        labels: ['INBOX', 'UNREAD'],
        date: 'header',
        spam: 'classify',
        wrap: 'never',
        concurrency: 4,
        endpoint,
        description: 'gmail here',
      },
      { hostName: 'host.example', nowMs: () => NOW_MS, env: {}, prefix: () => '' },
      { ...GMAIL_LIMITS, ...limits, pauseMs: 1, pauses: 0 },
    )
  }

  seen() {
    return Promise.resolve(this.#server.messages.map(({ bytes }) => ({ recipient: '', bytes })))
  }

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
    this.#server.faults.import = refusal(403, 'storageQuotaExceeded', 'The user has exceeded their storage quota.')
  }

  heal(): void {
    this.#answer(() => Promise.resolve(null))
  }

  #answer(answer: (step: number) => Promise<GmailAnswer>): void {
    this.#steps = 0
    const next = (): Promise<GmailAnswer> => answer(++this.#steps)
    Object.assign(this.#server.faults, { list: next, make: next, import: next, put: next })
  }
}

destinationContract(kind)
