// The judge of every crash test (HAZARDS F2). It remembers what was sent, watches each QUIT, and in the end compares the
// mailbox, the Maildir and the sink. It takes nobody's word but theirs. The ledger is asked for one thing only, which
// answers of the sink it had recorded when the program was killed. One rule: it states violations, it repairs nothing.
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'
import type { Mailbox, Pop3Server, StoredMessage } from '../support/pop3-server.ts'
import type { SmtpSink } from '../support/smtp-server.ts'

export interface Witnesses {
  readonly server: Pop3Server
  readonly mailbox: Mailbox
  /** Null: there is none in this set-up. */
  readonly maildir: string | null
  readonly sink: SmtpSink | null
}

interface Sent {
  readonly uidl: string
  readonly bytes: Buffer
  /** Times the sink took it while its answer did not reach the ledger: one more copy each may follow (I3). */
  answersLost: number
  /** It left the mailbox by another hand: nothing is expected of it but that it does not come twice. */
  excused: boolean
}

export interface Settled {
  readonly deletes: boolean
  /** Kept back by popfetch, as it says (I1). */
  readonly held: ReadonlySet<string>
}

/** This many lost answers and a message may be held; this many kills, each of which may have begun it (DESIGN 1, P122). */
const ANSWERS_UNTIL_HELD = 3
const KILLS_UNTIL_HELD = 5

const TOKEN = /^Message-ID: <(\d+)@crash\.example>\r?$/m
/** What popfetch may put on top, and nothing else. */
const TRACE = /^Received: from [^\n]*\n\t\(popfetch; [^\n]*\n$/

export function tokenOf(bytes: Buffer): number | null {
  const found = TOKEN.exec(bytes.toString('latin1', 0, 2048))
  return found === null ? null : Number(found[1])
}

export class Oracle {
  readonly violations: string[] = []
  readonly #witnesses: Witnesses
  readonly #sent = new Map<number, Sent>()
  readonly #tokens = new Map<string, number>()
  #kills = 0
  /** Of the sink's messages, how many earlier runs have been accounted for. */
  #accounted = 0

  constructor(witnesses: Witnesses) {
    this.#witnesses = witnesses
  }

  sent({ uidl, bytes }: StoredMessage): void {
    const token = tokenOf(bytes)
    if (token === null) throw new Error('a message of this suite has a token in its Message-ID')
    this.#sent.set(token, { uidl, bytes, answersLost: 0, excused: false })
    this.#tokens.set(uidl, token)
  }

  excuse(uidl: string): void {
    const sent = this.#sent.get(this.#tokens.get(uidl) ?? -1)
    if (sent !== undefined) sent.excused = true
  }

  /** The server has given its messages new UIDs. */
  renamed(): void {
    for (const { uidl, bytes } of this.#witnesses.mailbox.messages) {
      const token = tokenOf(bytes) ?? -1
      const sent = this.#sent.get(token)
      if (sent === undefined) continue
      this.#sent.set(token, { ...sent, uidl })
      this.#tokens.set(uidl, token)
    }
  }

  killed(): void {
    this.#kills += 1
  }

  get uidls(): string[] {
    return [...this.#sent.values()].map(({ uidl }) => uidl)
  }

  /** How many messages of each token are complete in the Maildir; what is there and not whole is a violation (I4). */
  maildirCopies(): Map<number, number> {
    const copies = new Map<number, number>()
    const { maildir } = this.#witnesses
    if (maildir === null) return copies
    for (const folder of ['new', 'cur']) {
      const directory = path.join(maildir, folder)
      for (const name of existsSync(directory) ? readdirSync(directory) : []) {
        const found = readFileSync(path.join(directory, name))
        this.#count(copies, found, (bytes) => crlfToLf(bytes), `${folder}/${name}`)
      }
    }
    return copies
  }

  sinkCopies(): Map<number, number> {
    const copies = new Map<number, number>()
    for (const { bytes } of this.#witnesses.sink?.messages ?? []) {
      this.#count(copies, bytes, (original) => original, 'a message at the sink')
    }
    return copies
  }

  /** I2: asked when QUIT has arrived and nothing is deleted yet. */
  atQuit(session: number): void {
    const { server, maildir, sink } = this.#witnesses
    const marked = server.journal.filter((entry) => entry.kind === 'dele' && entry.session === session)
    if (marked.length === 0) return
    const inMaildir = this.maildirCopies()
    const atSink = this.sinkCopies()
    for (const { uidl = '' } of marked) {
      const token = this.#tokens.get(uidl) ?? -1
      if (this.#sent.get(token)?.excused === true) continue
      if (maildir !== null && !inMaildir.has(token)) this.#say(`${uidl} is deleted and not in the Maildir`)
      if (sink !== null && !atSink.has(token)) this.#say(`${uidl} is deleted and not at the sink`)
    }
  }

  /** After a run, which was killed or not: `recorded` tells whether the ledger knows that the sink has a message. */
  ran(recorded: (uidl: string) => boolean): void {
    const messages = this.#witnesses.sink?.messages ?? []
    for (const { bytes } of messages.slice(this.#accounted)) {
      const sent = this.#sent.get(tokenOf(bytes) ?? -1)
      if (sent !== undefined && !recorded(sent.uidl)) sent.answersLost += 1
    }
    this.#accounted = messages.length
  }

  /** Copies at the sink beyond the first of each. */
  get extraCopies(): number {
    return [...this.sinkCopies().values()].reduce((sum, copies) => sum + copies - 1, 0)
  }

  /** At the fix-point: all that was sent is where it belongs, once, whole, and nothing else is. */
  judge({ deletes, held }: Settled): void {
    const { mailbox, maildir, sink } = this.#witnesses
    const inMaildir = this.maildirCopies()
    const atSink = this.sinkCopies()
    const left = new Set(mailbox.messages.map(({ uidl }) => uidl))
    for (const [token, { uidl, answersLost, excused }] of this.#sent) {
      const isHeld = held.has(uidl)
      if (isHeld && answersLost < ANSWERS_UNTIL_HELD && this.#kills < KILLS_UNTIL_HELD) this.#say(`${uidl} is held`)
      const least = excused || isHeld ? 0 : 1
      if (maildir !== null) this.#between(`${uidl} in the Maildir`, inMaildir.get(token) ?? 0, least, 1)
      if (sink !== null) this.#between(`${uidl} at the sink`, atSink.get(token) ?? 0, least, 1 + answersLost)
      if (deletes && !excused && !isHeld && left.has(uidl)) this.#say(`${uidl} was not deleted`)
      if ((!deletes || isHeld) && !excused && !left.has(uidl)) this.#say(`${uidl} was deleted though nobody wanted it`)
    }
    if (maildir !== null) this.#empty(path.join(maildir, 'tmp'))
  }

  /** I7. */
  #empty(directory: string): void {
    const names = existsSync(directory) ? readdirSync(directory) : []
    if (names.length > 0) this.#say(`left in ${directory}: ${names.join(' ')}`)
  }

  #between(what: string, copies: number, least: number, most: number): void {
    if (copies < least) this.#say(`${what}: lost`)
    if (copies > most) this.#say(`${what}: ${copies} copies, ${most} allowed`)
  }

  #count(copies: Map<number, number>, found: Buffer, form: (bytes: Buffer) => Buffer, where: string): void {
    const token = tokenOf(found)
    const sent = token === null ? undefined : this.#sent.get(token)
    if (token === null || sent === undefined) return this.#say(`${where} is no message that was sent`)
    const body = form(sent.bytes)
    const top = found.length - body.length
    const whole = top >= 0 && found.subarray(top).equals(body) && TRACE.test(found.toString('latin1', 0, top))
    if (!whole) return this.#say(`${where} is not ${sent.uidl} as it was sent`)
    copies.set(token, (copies.get(token) ?? 0) + 1)
  }

  #say(violation: string): void {
    if (!this.violations.includes(violation)) this.violations.push(violation)
  }
}

function crlfToLf(bytes: Buffer): Buffer {
  return Buffer.from(bytes.toString('latin1').replaceAll('\r\n', '\n'), 'latin1')
}
