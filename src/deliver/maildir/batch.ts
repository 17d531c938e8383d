// Deliveries to one Maildir, in batches: what arrives while one is under way makes up the next. The small calls of a batch
// run on the loop, the fsyncs of its files all at once off it, and one fsync of new/ is shared (D003). One rule: the loop
// is given back every 64 files or 1 MiB, so that mail keeps arriving meanwhile.
import { setImmediate as turn } from 'node:timers/promises'
import type { Awaitable } from '../awaitable.ts'
import type { MaildirFile, Room } from './file.ts'
import { syncDirectory } from './folders.ts'

/** So many descriptors are open at once; about 2 ms of the loop. */
const BATCH_FILES = 64
const TURN_BYTES = 1 << 20

export class MaildirBatches {
  readonly #room: Room
  #waiting: MaildirFile[] = []
  #running: Promise<void> | null = null

  constructor(room: Room) {
    this.#room = room
  }

  /** `file.receipt` tells what becomes of it. */
  add(file: MaildirFile): void {
    // Behind a batch that hangs they would pile up, poll after poll.
    if (this.#waiting[0]?.dropped === true) this.#waiting = this.#waiting.filter(({ dropped }) => !dropped)
    this.#waiting.push(file)
    this.#running ??= this.#run()
  }

  /** Resolves when nothing is under way. */
  async idle(): Promise<void> {
    await this.#running
  }

  async #run(): Promise<void> {
    await turn()
    while (this.#waiting.length > 0) {
      await this.#deliver(this.#waiting.splice(0, BATCH_FILES))
      await turn()
    }
    this.#running = null
  }

  /** The steps do not reject: each file tells its own failure. */
  async #deliver(batch: readonly MaildirFile[]): Promise<void> {
    const { fileSystem, folders } = this.#room
    for (const [at, part] of inTurns(batch).entries()) {
      if (at > 0) await turn()
      await all(part, (file) => file.write())
    }
    await all(batch, (file) => file.sync())
    await all(batch, (file) => file.publish())
    const visible = batch.filter((file) => file.visible)
    if (visible.length === 0) return
    try {
      await syncDirectory(fileSystem, folders.new)
    } catch (error) {
      await Promise.all(visible.map((file) => file.withdraw(error)))
      return
    }
    for (const file of visible) file.confirm()
  }
}

/** As many files as one turn of the loop may write. */
function inTurns(batch: readonly MaildirFile[]): readonly (readonly MaildirFile[])[] {
  const turns: MaildirFile[][] = []
  let bytes = Infinity
  for (const file of batch) {
    if (bytes >= TURN_BYTES) {
      turns.push([])
      bytes = 0
    }
    turns.at(-1)?.push(file)
    bytes += file.loopBytes
  }
  return turns
}

/** Does a step for all of them; waits only where there is something to wait for, and then for all at once. */
function all(files: readonly MaildirFile[], step: (file: MaildirFile) => Awaitable<void>): Awaitable<void> {
  const waits: Promise<void>[] = []
  for (const file of files) {
    const wait = step(file)
    if (wait instanceof Promise) waits.push(wait)
  }
  return waits.length === 0 ? undefined : Promise.all(waits).then(() => undefined)
}
