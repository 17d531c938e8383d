// The calls that a Maildir makes to the disk, in this thread and in the one that works on files, with one thing that goes wrong among
// them: a call fails, once or from then on, a write is short, the thread ends, or something happens just before a call. All calls are
// written down, in the order in which both threads made them. Files are real; nothing waits for the disk.
import { setImmediate as turn } from 'node:timers/promises'
import { vi } from 'vitest'
import type { Worker as Thread, WorkerOptions } from 'node:worker_threads'
import { fileSystems, type FileSystem } from '../../src/deliver/disk/filesystem.ts'
import { EXT4 } from './faulty-filesystem.ts'

export type RiggedCall = 'open' | 'write' | 'fsync' | 'close' | 'link' | 'unlink' | 'answer'

export interface Mishap {
  readonly call: RiggedCall
  /** The call about a path that has this in it; `ofFolder`: about this path itself. */
  readonly of: string
  readonly ofFolder: boolean
  /** So many such calls go well before. */
  readonly skip: number
  /** `fails`: instead of being made. `made`: it is made, and fails all the same. `short`: a write writes half, and then fails.
   *  `ends`: the other thread ends instead. `acts`: what the test has given happens before. */
  readonly how: 'fails' | 'made' | 'short' | 'ends' | 'acts'
  readonly errno: string
  /** All later calls of this name fail, too. */
  readonly forGood: boolean
  /** Only calls below it fail. */
  readonly root: string
}

const PLAN_AT = 64
const JOURNAL_AT = 8192
const BYTES = 2 << 20

interface Rig {
  /** What is to happen instead of, or at, this call; null: nothing. */
  readonly meets: (call: string, path: string) => Mishap | null
  readonly note: (text: string) => void
}

/** Handed over as text as well, so it uses nothing from outside itself. */
function rigOf(shared: SharedArrayBuffer, planAt: number, journalAt: number): Rig {
  const header = new Int32Array(shared, 0, 16)
  let version = -1
  let plan: Mishap | null = null
  let half = ''
  return {
    meets(call, path) {
      const now = Atomics.load(header, 0)
      if (now !== version) {
        version = now
        half = ''
        const text = Buffer.from(shared, planAt, Atomics.load(header, 1)).toString()
        plan = text === '' ? null : (JSON.parse(text) as Mishap)
      }
      if (plan?.call !== call || !path.startsWith(plan.root)) return null
      if (half !== '' && half === path) return { ...plan, how: 'fails' }
      const isIt = plan.ofFolder ? path === plan.of : path.includes(plan.of)
      if (Atomics.load(header, 2) > 0) return plan.forGood ? { ...plan, how: 'fails' } : null
      if (!isIt || Atomics.add(header, 5, 1) < plan.skip) return null
      Atomics.store(header, 2, 1)
      if (plan.how === 'short') half = path
      return plan
    },
    note(text) {
      const bytes = Buffer.from(`${text}\n`)
      const at = Atomics.add(header, 4, bytes.length)
      Buffer.from(shared, journalAt + at, bytes.length).set(bytes)
    },
  }
}

/** What runs in the other thread before its program. As text. */
function rigThread(rig: typeof rigOf, planAt: number, journalAt: number): void {
  const fs = process.getBuiltinModule('node:fs')
  const { parentPort, workerData } = process.getBuiltinModule('node:worker_threads')
  const { shared } = workerData as { readonly shared: SharedArrayBuffer }
  const header = new Int32Array(shared, 0, 16)
  const { meets, note } = rig(shared, planAt, journalAt)
  const paths = new Map<number, string>()
  const failure = (errno: string, call: string): Error =>
    Object.assign(new Error(`${errno}: rigged, ${call}`), { code: errno })

  /** True: it is made, though it fails afterwards. */
  function meet(call: string, path: string): Mishap | null {
    const met = meets(call, path)
    if (met === null) return null
    if (met.how === 'ends') {
      note(`ends ${call} ${path}`)
      process.exit()
    }
    if (met.how === 'acts') {
      Atomics.store(header, 3, 1)
      Atomics.notify(header, 3)
      Atomics.wait(header, 3, 1)
      return null
    }
    return met
  }

  function made<T>(call: string, path: string, perform: (met: Mishap | null) => T): T {
    const met = meet(call, path)
    if (met?.how === 'fails' && call !== 'close') throw failure(met.errno, call)
    const value = perform(met)
    note(`${call} ${path}`)
    if (met !== null && met.how !== 'short') throw failure(met.errno, call)
    return value
  }

  const { openSync, writeSync, closeSync, linkSync, unlinkSync } = fs
  const pathOf = (fd: number): string => paths.get(fd) ?? ''
  const rigged: object = {
    openSync: (path: string, ...rest: never[]) =>
      made('open', path, () => {
        const fd = openSync(path, ...(rest as [never]))
        paths.set(fd, path)
        return fd
      }),
    writeSync: (fd: number, bytes: Buffer, offset: number, length: number) =>
      made('write', pathOf(fd), (met) =>
        writeSync(fd, bytes, offset, met?.how === 'short' ? length >> 1 : length, null),
      ),
    fsync: (fd: number, done: (error: Error | null) => void) => {
      note(`syncs ${pathOf(fd)}`)
      setImmediate(() => {
        let error: Error | null = null
        try {
          made('fsync', pathOf(fd), () => {})
        } catch (thrown) {
          error = thrown as Error
        }
        done(error)
      })
    },
    fsyncSync: (fd: number) => made('fsync', pathOf(fd), () => {}),
    closeSync: (fd: number) => made('close', pathOf(fd), () => closeSync(fd)),
    linkSync: (from: string, to: string) => made('link', from, () => linkSync(from, to)),
    unlinkSync: (path: string) => made('unlink', path, () => unlinkSync(path)),
  }
  Object.assign(fs, rigged)
  const post = parentPort?.postMessage.bind(parentPort)
  // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread has none
  if (parentPort !== null)
    parentPort.postMessage = (value: unknown) => {
      if (meet('answer', 'answer') !== null) throw failure('ERR_RIGGED', 'answer')
      post?.(value)
    }
}

export class RiggedFiles implements Disposable {
  readonly #shared = new SharedArrayBuffer(BYTES)
  readonly #header = new Int32Array(this.#shared, 0, 16)
  readonly #rig = rigOf(this.#shared, PLAN_AT, JOURNAL_AT)
  readonly #paths = new Map<number, string>()
  readonly #undo: (() => void)[] = []
  #act: () => void = () => {}

  /** Until it is disposed of, threads for files that are made are rigged, too. */
  constructor() {
    const onLoop = fileSystems.of(EXT4)
    for (const fileSystem of [onLoop, fileSystems.offLoop]) this.#wrap(fileSystem)
    const of = vi.spyOn(fileSystems, 'of').mockReturnValue(onLoop)
    const real = process.getBuiltinModule.bind(process)
    const builtin = vi
      .spyOn(process, 'getBuiltinModule')
      .mockImplementation(((name: string) =>
        name === 'node:worker_threads' ? this.#threads(real) : real(name as never)) as never)
    this.#undo.push(
      () => of.mockRestore(),
      () => builtin.mockRestore(),
    )
  }

  /** From now on this goes wrong, once it is met; null: nothing. What was written down is forgotten. */
  plan(mishap: Mishap | null, act: () => void = () => {}): void {
    const bytes = Buffer.from(mishap === null ? '' : JSON.stringify(mishap))
    Buffer.from(this.#shared, PLAN_AT).set(bytes)
    Atomics.store(this.#header, 1, bytes.length)
    for (const at of [2, 3, 4, 5]) Atomics.store(this.#header, at, 0)
    Atomics.add(this.#header, 0, 1)
    this.#act = act
    if (mishap?.how === 'acts') void this.#actForThread(Atomics.load(this.#header, 0))
  }

  /** Was it met? */
  get isMet(): boolean {
    return Atomics.load(this.#header, 2) > 0
  }

  note(text: string): void {
    this.#rig.note(text)
  }

  /** A call and its path a line, once it was made. */
  get journal(): readonly string[] {
    const text = Buffer.from(this.#shared, JOURNAL_AT, Atomics.load(this.#header, 4)).toString()
    return text.split('\n').slice(0, -1)
  }

  async #actForThread(version: number): Promise<void> {
    const { async, value } = Atomics.waitAsync(this.#header, 3, 0)
    if (async) await value
    if (Atomics.load(this.#header, 0) !== version) return
    this.#act()
    Atomics.store(this.#header, 3, 2)
    Atomics.notify(this.#header, 3)
  }

  #threads(real: (name: never) => unknown): unknown {
    const threads = real('node:worker_threads' as never) as { readonly Worker: typeof Thread }
    const shared = this.#shared
    const rig = `(${rigThread.toString()})(${rigOf.toString()}, ${PLAN_AT}, ${JOURNAL_AT});`
    class Worker extends threads.Worker {
      constructor(source: string, options: WorkerOptions) {
        super(rig + source, { ...options, workerData: { ...(options.workerData as object), shared } })
      }
    }
    return { ...threads, Worker }
  }

  #wrap(fileSystem: FileSystem): void {
    const real = { ...fileSystem }
    this.#undo.push(() => void Object.assign(fileSystem, real))
    const pathOf = (fd: number): string => this.#paths.get(fd) ?? ''
    const rigged: Partial<FileSystem> = {
      open: (path, flags, mode) =>
        this.#made(
          'open',
          path,
          () => real.open(path, flags, mode),
          (fd) => this.#paths.set(fd, path),
        ),
      write: (fd, bytes, offset, length) =>
        this.#made('write', pathOf(fd), (met) =>
          real.write(fd, bytes, offset, met?.how === 'short' ? length >> 1 : length),
        ),
      fsync: async (fd) => {
        this.note(`syncs ${pathOf(fd)}`)
        await turn()
        await this.#made('fsync', pathOf(fd), () => {})
      },
      close: (fd) => this.#made('close', pathOf(fd), () => real.close(fd)),
      link: (from, to) => this.#made('link', from, () => real.link(from, to)),
      unlink: (path) => this.#made('unlink', path, () => real.unlink(path)),
    }
    Object.assign(fileSystem, rigged)
  }

  #made<T>(
    call: RiggedCall,
    path: string,
    perform: (met: Mishap | null) => T | Promise<T>,
    then: (value: T) => void = () => {},
  ): T | Promise<T> {
    const { meets, note } = this.#rig
    let met = meets(call, path)
    if (met?.how === 'acts') {
      met = null
      this.#act()
    }
    // What ends a thread is nothing to this one.
    if (met?.how === 'ends') met = null
    const failure = (): Error => Object.assign(new Error(`${met?.errno}: rigged, ${call}`), { code: met?.errno })
    if (met?.how === 'fails' && call !== 'close') throw failure()
    const over = (value: T): T => {
      then(value)
      note(`${call} ${path}`)
      if (met !== null && met.how !== 'short') throw failure()
      return value
    }
    const value = perform(met)
    return value instanceof Promise ? value.then(over) : over(value)
  }

  [Symbol.dispose](): void {
    for (const undo of this.#undo) undo()
    this.#undo.length = 0
  }
}
