// Standard output and standard error, made when something is written to them. A poll from cron that finds nothing writes nothing, and
// Node's streams, with its terminals, are a fiftieth of such a poll. Also tells what is a terminal, without Node's terminals.
import { fstatSync } from 'node:fs'
import type { TextStream } from '../output.ts'

/** /dev/null of Linux, which cron and systemd give instead of a terminal. */
const NOTHING = 0x103

/** Asked of the system: a stream is not made for it, least of all one that nobody reads. */
export function isTerminal(fd: number): boolean {
  try {
    const stats = fstatSync(fd)
    if (!stats.isCharacterDevice() || (process.platform === 'linux' && stats.rdev === NOTHING)) return false
  } catch {
    // Closed.
    return false
  }
  return process.getBuiltinModule('node:tty').isatty(fd)
}

export class StandardStream implements TextStream {
  readonly #fd: 1 | 2
  readonly #listeners: ((error: Error) => void)[] = []
  #made: NodeJS.WriteStream | null = null
  /** As it was at the start: who hangs up later makes no answer of it that is lost. */
  readonly isTTY: boolean

  constructor(fd: 1 | 2) {
    this.#fd = fd
    this.isTTY = isTerminal(fd)
  }

  /** What is drawn on; null: it is no terminal. Whoever hangs up, what listens to this stream hears of it. */
  get terminal(): NodeJS.WriteStream | null {
    return this.isTTY ? this.#stream : null
  }

  get #stream(): NodeJS.WriteStream {
    if (this.#made === null) {
      this.#made = this.#fd === 1 ? process.stdout : process.stderr
      for (const listener of this.#listeners) this.#made.on('error', listener)
    }
    return this.#made
  }

  get columns(): number {
    return (this.isTTY ? this.#stream.columns : undefined) ?? 80
  }

  get writableLength(): number {
    return this.#made?.writableLength ?? 0
  }

  write(text: string, done?: (error?: Error | null) => void): boolean {
    return this.#stream.write(text, done)
  }

  on(event: 'error', listener: (error: Error) => void): this {
    if (this.#made === null) this.#listeners.push(listener)
    else this.#made.on(event, listener)
    return this
  }
}
