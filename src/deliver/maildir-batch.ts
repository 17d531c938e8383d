// Deliveries to one Maildir, in batches: what arrives while one is under way makes up the next. The small calls of a batch
// run on the loop, the fsyncs of its files all at once off it, and one fsync of new/ is shared (D003). One rule: the loop
// is given back every 64 files or 1 MiB, so that mail keeps arriving meanwhile.
import { setImmediate as turn } from 'node:timers/promises'
import type { MaildirFile, Room } from './maildir-file.ts'
import { syncDirectory } from './maildir-folders.ts'

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
    let writing: Promise<void>[] = []
    let bytes = 0
    for (const file of batch) {
      writing.push(file.write())
      bytes += file.loopBytes
      if (bytes < TURN_BYTES) continue
      await Promise.all(writing)
      await turn()
      writing = []
      bytes = 0
    }
    await Promise.all(writing)
    await Promise.all(batch.map((file) => file.sync()))
    await Promise.all(batch.map((file) => file.publish()))
    const visible = batch.filter((file) => file.visible)
    if (visible.length === 0) return
    try {
      await syncDirectory(this.#room.fileSystem, this.#room.folders.new)
    } catch (error) {
      await Promise.all(visible.map((file) => file.withdraw(error)))
      return
    }
    for (const file of visible) file.confirm()
  }
}
