// What a fake server saw, in order: the oracle's memory (HAZARDS F2). Every fake in one process draws its times from the
// same logical clock, so that "delivered before deleted" can be read off the numbers. No wall clock here.

let lastTick = 0

/** The next instant of the process-wide logical clock: larger than every one given before. */
export function tick(): number {
  lastTick += 1
  return lastTick
}

/** `command`: a line the client sent. `auth`: how a sign-in ended. `retr`: a RETR answered with a message. `dele`: a message
 *  marked. `commit`: a marked message removed for good, at QUIT. `rollback`: a marked message kept, as no QUIT came. */
export type JournalKind = 'connect' | 'close' | 'command' | 'auth' | 'retr' | 'dele' | 'commit' | 'rollback'

export interface JournalEntry {
  readonly at: number
  /** Number of the connection, from 1. */
  readonly session: number
  readonly kind: JournalKind
  /** The line as it was sent, latin1, secrets included; for `auth` "accepted PLAIN" or "refused PLAIN". */
  readonly text: string
  /** Who was signed in, or tried to; '' before that. */
  readonly user: string
  /** Was the connection under TLS at that moment? */
  readonly secure: boolean
  readonly uidl?: string
}

interface Watch {
  readonly wanted: (entry: JournalEntry) => boolean
  readonly found: (entry: JournalEntry) => void
}

/** An array of entries that can also be waited on, so that a test needs no sleep. */
export class Journal extends Array<JournalEntry> {
  #watches: Watch[] = []

  static override get [Symbol.species](): ArrayConstructor {
    return Array
  }

  record(entry: Omit<JournalEntry, 'at'>): void {
    const dated = { at: tick(), ...entry }
    this.push(dated)
    if (this.#watches.length === 0) return
    const found = this.#watches.filter((watch) => watch.wanted(dated))
    this.#watches = this.#watches.filter((watch) => !found.includes(watch))
    for (const watch of found) watch.found(dated)
  }

  of(kind: JournalKind): JournalEntry[] {
    return this.filter((entry) => entry.kind === kind)
  }

  /** The texts of all commands, of one session if named. */
  commands(session?: number): string[] {
    return this.of('command')
      .filter((entry) => session === undefined || entry.session === session)
      .map((entry) => entry.text)
  }

  /** The first entry, recorded already or yet to come, that is wanted. */
  when(wanted: (entry: JournalEntry) => boolean): Promise<JournalEntry> {
    const already = this.find(wanted)
    if (already) return Promise.resolve(already)
    return new Promise((found) => {
      this.#watches.push({ wanted, found })
    })
  }
}
