// Is the file that was opened still the one of its name? Whoever deletes or replaces it, or the files that SQLite keeps beside it,
// leaves us writing into nowhere. All that is recorded then is gone with the process (S043). Looked at before each commit.
import { identityOf } from './file.ts'
import { movedLedger } from './rows/fault.ts'

export class Presence {
  readonly #path: string
  readonly #files: readonly (readonly [name: string, identity: string])[]
  #moved = false

  /** `opened`: which file it was. The file is open, and SQLite has made its own files beside it. */
  constructor(path: string, opened: string) {
    this.#path = path
    const beside = [`${path}-wal`, `${path}-shm`].flatMap((name) => {
      const identity = identityOf(name)
      return identity === null ? [] : [[name, identity] as const]
    })
    this.#files = [[path, opened], ...beside]
  }

  /** Was it noticed? Then it is so until the file is opened again. */
  get moved(): boolean {
    return this.#moved
  }

  /** Throws ERR_LEDGER when it is not; always, once it did. */
  require(): void {
    this.#moved ||= this.#files.some(([name, identity]) => identityOf(name) !== identity)
    if (this.#moved) throw movedLedger(this.#path)
  }
}
