// Habits of servers, each harmless by itself, and the mailbox that has one of each kind. What TOP shows, what becomes of a deletion,
// how much is listed, whether QUIT drops what was retrieved, how long a header is (HAZARDS G0, server habits in pairs).
import type { Action } from '../support/faults.ts'
import type { ServedSession } from '../support/pop3-server.ts'
import { top as topOf, stuff } from '../support/mailbox.ts'
import { patiently } from './patience.ts'
import { letter, type Scene } from './scene.ts'

export const TOPS = ['right', 'none', 'cut short', 'cut off', 'whole', 'other header', 'hangs'] as const
export const DELETIONS = ['done', 'cut', 'refused', 'QUIT refused', 'ignored', 'late', 'answer lost'] as const
export const WINDOWS = ['none', 'oldest', 'newest'] as const
export const EXPIRES = ['none', '0'] as const
export const HEADERS = ['small', 'large'] as const

export interface Habits {
  readonly top: (typeof TOPS)[number]
  readonly deletion: (typeof DELETIONS)[number]
  readonly window: (typeof WINDOWS)[number]
  readonly expire: (typeof EXPIRES)[number]
  readonly header: (typeof HEADERS)[number]
}

export function* allHabits(): Generator<Habits> {
  for (const top of TOPS)
    for (const deletion of DELETIONS)
      for (const window of WINDOWS)
        for (const expire of EXPIRES) for (const header of HEADERS) yield { top, deletion, window, expire, header }
}

const WINDOW = 3
/** A message that was deleted late is listed in this many sessions more. */
const LATE_SESSIONS = 2

export class HabitualServer {
  readonly scene: Scene
  /** What was ever listed. */
  readonly shown = new Set<string>()
  /** What the last listing had. */
  shownLast = new Set<string>()
  readonly #habits: Habits
  readonly #marked = new Map<number, Set<string>>()
  #dying: { readonly uidl: string; sessions: number }[] = []
  #filled = 0

  constructor(scene: Scene, habits: Habits) {
    this.scene = scene
    this.#habits = habits
    const { faults, capabilities } = scene.server
    const { deletion, window, expire } = habits
    if (expire === '0') {
      capabilities?.afterLogin.push('EXPIRE 0')
      faults.popped = true
    }
    if (window !== 'none') Object.assign(faults, { window: WINDOW, windowEnd: window })
    faults.ignoreDeletes = deletion === 'ignored' || deletion === 'late'
    if (deletion === 'QUIT refused') faults.quitError = '-ERR some messages were not removed'
    faults.quitLost = deletion === 'answer lost'
    faults.uidlLine = (number, { uidl }) => {
      this.shown.add(uidl)
      this.shownLast.add(uidl)
      return `${number} ${uidl}`
    }
    faults.onCommand = (verb, args, session) => this.#obey(verb, args, session)
  }

  /** Can what was delivered leave the listing at all? */
  get lets(): boolean {
    const { deletion, expire } = this.#habits
    const deletes = deletion === 'done' || deletion === 'late' || deletion === 'answer lost'
    return deletes || (expire === '0' && deletion !== 'cut' && deletion !== 'QUIT refused')
  }

  fill(count: number): void {
    const mailbox = this.scene.server.mailbox('alice')
    for (const end = this.#filled + count; this.#filled < end; this.#filled++) {
      const isLarge = this.#habits.header === 'large' && this.#filled % 3 === 1
      mailbox.add(isLarge ? long(letter(this.#filled)) : letter(this.#filled), { uidl: `uid-${this.#filled}` })
    }
  }

  poll(): ReturnType<Scene['poll']> {
    return patiently(this.scene.server, () => this.scene.poll())
  }

  /** What the server still lists. */
  left(): string[] {
    return this.scene.server.mailbox('alice').messages.flatMap(({ uidl, hidden }) => (hidden ? [] : [uidl]))
  }

  #obey(verb: string, args: string, { id }: ServedSession): Action {
    const { deletion } = this.#habits
    switch (verb) {
      case 'CONNECT':
        this.#bury()
        return 'serve'
      case 'UIDL':
        this.shownLast = new Set()
        return 'serve'
      case 'TOP':
        return this.#top(args)
      case 'DELE':
        if (deletion === 'refused') return '-ERR [SYS/PERM] read-only mailbox'
        this.#marked.set(id, (this.#marked.get(id) ?? new Set()).add(this.#listed()[Number(args) - 1]?.uidl ?? ''))
        return 'serve'
      case 'QUIT':
        if (deletion === 'cut') return 'reset'
        if (deletion === 'late')
          for (const uidl of this.#marked.get(id) ?? []) this.#dying.push({ uidl, sessions: LATE_SESSIONS })
        return 'serve'
      default:
        return 'serve'
    }
  }

  /** Of the next session. */
  #bury(): void {
    for (const one of this.#dying) one.sessions--
    const dead = new Set(this.#dying.flatMap(({ uidl, sessions }) => (sessions < 0 ? [uidl] : [])))
    const mailbox = this.scene.server.mailbox('alice')
    mailbox.remove(new Set(mailbox.messages.filter(({ uidl }) => dead.has(uidl))))
    this.#dying = this.#dying.filter(({ sessions }) => sessions >= 0)
  }

  #listed() {
    const all = this.scene.server.mailbox('alice').messages.filter(({ hidden }) => !hidden)
    if (this.#habits.window === 'none') return all
    return this.#habits.window === 'oldest' ? all.slice(0, WINDOW) : all.slice(-WINDOW)
  }

  #top(args: string): Action {
    const message = this.#listed()[Number(args.split(' ')[0]) - 1]
    if (message === undefined) return 'serve'
    const header = topOf(message.bytes, 0)
    const answer = (body: Buffer): Buffer => Buffer.concat([Buffer.from('+OK\r\n'), stuff(body), Buffer.from('.\r\n')])
    switch (this.#habits.top) {
      case 'right':
        return 'serve'
      case 'none':
        return '-ERR unknown command'
      case 'cut short':
        return { answer: answer(Buffer.from('From: Ada <ada@example.org>\r\n\r\n')) }
      case 'cut off':
        return { answer: Buffer.concat([Buffer.from('+OK\r\n'), header.subarray(0, 20)]), next: 'drop' }
      case 'whole':
        return { answer: answer(message.bytes) }
      case 'other header':
        return { answer: answer(Buffer.concat([Buffer.from('Received: by a gateway\r\n'), header])) }
      case 'hangs':
        return 'stall'
    }
  }
}

/** The same letter with a header of more than 64 KiB (P163). */
function long(text: string): string {
  const addresses = Array.from({ length: 4000 }, (_, at) => `\r\n reader-${at}@example.net`)
  return text.replace('\r\nDate:', `\r\nCc: ${addresses.join(',')}\r\nDate:`)
}
