// The file systems of deliver/, with faults set by assignment. The n-th call fails, a call performs and reports an error
// all the same, writes are short, calls hang, somebody looks after each call.
import fs from 'node:fs'
import { setImmediate as turn } from 'node:timers/promises'
import { fileSystems, type FileSystem, type FileSystems } from '../../src/deliver/disk/filesystem.ts'

export const EXT4 = 0xef53
export const TMPFS = 0x01021994
export const NFS = 0x6969

/** Turns of the event loop within which a call follows the one before, if one does. */
const QUIET_TURNS = 10

export type Call = Exclude<keyof FileSystem, 'names' | 'atOnce'>

export class FaultyFileSystems implements FileSystems {
  /** Counts from 1; 0: none fails. */
  failing = 0
  /** Also all calls after it. */
  forGood = false
  errno = 'EIO'
  /** What the call with that name answers instead of being made, or after it (`performs`). */
  readonly errors = new Map<Call, { readonly errno: string; readonly performs: boolean }>()
  /** Calls with these names never come back. */
  readonly hanging = new Set<Call>()
  /** At most this many bytes a write. */
  writeBytes = Infinity
  /** After each call, with its name and first argument. */
  after: (call: Call, subject: string | number) => void = () => {}
  /** Before a call; a promise holds it up. */
  before: (call: Call, subject: string | number) => Promise<void> | void = () => {}
  /** Bytes said to be free. */
  freeBytes: number | null = null
  calls = 0
  #underWay = 0
  #hangs: PromiseWithResolvers<void> | null = null
  readonly made: string[] = []
  readonly offLoop: FileSystem
  readonly #chosen: FileSystem

  /** Pretends that every file system is of this type. */
  constructor(type: number) {
    this.offLoop = this.#wrap(fileSystems.offLoop)
    this.#chosen = this.#wrap(fileSystems.of(type))
  }

  of(): FileSystem {
    return this.#chosen
  }

  /** Resolves when the next call is made that never comes back. */
  async hangs(): Promise<void> {
    this.#hangs = Promise.withResolvers()
    await this.#hangs.promise
  }

  /** Resolves when no call is under way and none follows, also of work that nobody waits for any more. */
  async quiet(): Promise<void> {
    let quietTurns = 0
    while (quietTurns < QUIET_TURNS) {
      await turn()
      quietTurns = this.#underWay === 0 ? quietTurns + 1 : 0
    }
  }

  #wrap(real: FileSystem): FileSystem {
    return new Proxy(real, {
      get: (target, property: keyof FileSystem) => {
        if (property === 'names') return (folder: string) => target.names(folder)
        if (property === 'atOnce') return target.atOnce
        return (...given: never[]) => {
          const value = this.#call(property, target[property], given)
          if (value instanceof Promise) {
            this.#underWay += 1
            const over = (): void => void (this.#underWay -= 1)
            value.then(over, over)
          }
          return value
        }
      },
    })
  }

  #call(call: Call, perform: (...all: never[]) => unknown, given: never[]): unknown {
    this.calls += 1
    this.made.push(call)
    const number = this.calls
    const [subject] = given as unknown as [string | number]
    const held = this.before(call, subject)
    if (held !== undefined) return held.then(() => this.#perform(call, number, perform, given))
    if (this.hanging.has(call)) {
      this.#hangs?.resolve()
      return new Promise(() => {})
    }
    return this.#perform(call, number, perform, given)
  }

  #perform(call: Call, number: number, perform: (...all: never[]) => unknown, given: never[]): unknown {
    const [subject, ...rest] = given as unknown as [string | number, ...unknown[]]
    if (number === this.failing || (this.forGood && this.failing > 0 && number > this.failing)) {
      // A close that fails has closed: the descriptor would leak.
      if (call === 'close') fs.closeSync(subject as number)
      throw failure(this.errno, call)
    }
    const error = this.errors.get(call)
    if (error !== undefined && !error.performs) throw failure(error.errno, call)
    if (call === 'write') rest[2] = Math.min(rest[2] as number, this.writeBytes)
    const result = perform(...([subject, ...rest] as never[]))
    const finish = (value: unknown): unknown => {
      this.after(call, subject)
      if (error !== undefined) throw failure(error.errno, call)
      if (call !== 'statfs' || this.freeBytes === null) return value
      return Object.assign(value as fs.StatsFs, { bsize: 1, blocks: 1e9, bavail: this.freeBytes })
    }
    return result instanceof Promise ? result.then(finish) : finish(result)
  }
}

function failure(errno: string, call: string): Error {
  return Object.assign(new Error(`${errno}: injected, ${call}`), { code: errno })
}
