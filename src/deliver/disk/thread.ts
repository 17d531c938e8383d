// What another thread does for volleys: it writes their files and syncs them, and later gives them their names in new/. `work` is that
// thread's whole program. It is handed over as text, so it uses nothing from outside itself. It decides nothing: volley.ts says what
// is done, and judges what went wrong. The one rule: it links only what it was told to link.
import type { CrlfModule } from './crlf-block.ts'

/** A file for each message, in tmp/. */
export interface Writing {
  readonly kind: 'write'
  readonly id: number
  readonly tmps: readonly string[]
  /** Their bodies lie in it, from `starts[i]` to `ends[i]`. */
  readonly memory: SharedArrayBuffer
  readonly starts: readonly number[]
  readonly ends: readonly number[]
  /** What goes on top; `prefixOf[i]`: which of them. */
  readonly prefixes: readonly Uint8Array[]
  readonly prefixOf: readonly number[]
  readonly datesMs: readonly (number | null)[]
  /** CRLF becomes LF. */
  readonly toLf: boolean
  /** For open(2). The mode is set once the content is complete; null: it stays. */
  readonly flags: number
  readonly firstMode: number
  readonly mode: number | null
  /** A sync takes time: all at once, by threads of the system. */
  readonly waits: boolean
}

/** Each file gets its second name, and loses the first. */
export interface Linking {
  readonly kind: 'link'
  readonly id: number
  readonly tmps: readonly string[]
  readonly targets: readonly string[]
}

/** Why a file was not written; nothing of it is left. */
export interface Failure {
  readonly code: string | null
  readonly message: string
}

/** Of a writing: how many bytes each file has, or why it has none. Of a linking: true, or why it may have no second name. */
export interface Done {
  readonly id: number
  readonly each: readonly (number | true | Failure)[]
}

export interface Start {
  readonly crlf: CrlfModule
}

export function work(): void {
  const fs = process.getBuiltinModule('node:fs')
  const { parentPort, workerData } = process.getBuiltinModule('node:worker_threads')
  const { crlf } = workerData as Start
  const CR = 13
  const NONE = -1
  let scratch = Buffer.allocUnsafeSlow(72 << 10)

  interface Exports {
    readonly lf: (from: number, end: number, to: number) => number
    readonly memory: { readonly buffer: ArrayBuffer }
  }
  const { WebAssembly: wasm } = globalThis as unknown as {
    readonly WebAssembly: {
      readonly Module: new (bytes: Uint8Array) => object
      readonly Instance: new (module: object) => { readonly exports: Exports }
    }
  }
  const block = new wasm.Instance(new wasm.Module(crlf.module)).exports
  const blockMemory = Buffer.from(block.memory.buffer)

  /** As byBlocks of line-endings.ts. */
  function converted(source: Buffer, start: number): number {
    let written = start
    for (let at = 0; at < source.length;) {
      let stop = Math.min(at + crlf.mostBytes, source.length)
      if (stop < source.length && source[stop - 1] === CR) stop -= 1
      source.copy(blockMemory, crlf.sourceAt, at, stop)
      written += blockMemory.copy(scratch, written, 0, block.lf(crlf.sourceAt, crlf.sourceAt + stop - at, 0))
      at = stop
    }
    return written
  }

  function failure(thrown: unknown): Failure {
    const code = thrown instanceof Error && 'code' in thrown && typeof thrown.code === 'string' ? thrown.code : null
    return { code, message: thrown instanceof Error ? thrown.message : String(thrown) }
  }

  function answer(done: Done): void {
    // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread has none
    parentPort?.postMessage(done)
  }

  function closed(fd: number): void {
    if (fd !== NONE) fs.closeSync(fd)
  }

  /** Leaves nothing of a file that failed. Its first error is the one to report. */
  function takenBack(fd: number, tmp: string): void {
    for (const undo of [() => closed(fd), () => fs.unlinkSync(tmp)]) {
      try {
        undo()
      } catch {
        // A later sweep removes it.
      }
    }
  }

  function write(given: Writing): void {
    const { id, tmps, memory, starts, ends, prefixes, prefixOf, datesMs, toLf, waits } = given
    const { flags, firstMode, mode } = given
    const bodies = Buffer.from(memory)
    const fds: number[] = tmps.map(() => NONE)
    const each: (number | Failure)[] = tmps.map((tmp, at) => {
      let fd = NONE
      try {
        fd = fs.openSync(tmp, flags, firstMode)
        const prefix = prefixes[prefixOf[at] ?? 0] ?? new Uint8Array()
        const body = bodies.subarray(starts[at], ends[at])
        if (prefix.length + body.length > scratch.length) scratch = Buffer.allocUnsafeSlow(prefix.length + body.length)
        scratch.set(prefix, 0)
        const bytes = toLf
          ? converted(body, prefix.length)
          : prefix.length + body.copy(scratch, prefix.length, 0, body.length)
        for (let written = 0; written < bytes;) written += fs.writeSync(fd, scratch, written, bytes - written, null)
        if (mode !== null) fs.fchmodSync(fd, mode)
        const dateMs = datesMs[at] ?? null
        if (dateMs !== null) fs.futimesSync(fd, dateMs / 1000, dateMs / 1000)
        fds[at] = fd
        return bytes
      } catch (error) {
        // A name that was never ours may be another's.
        if (fd !== NONE) takenBack(fd, tmp)
        return failure(error)
      }
    })
    let left = 1
    const synced = (): void => {
      left -= 1
      if (left > 0) return
      for (const [at, fd] of fds.entries()) {
        if (fd === NONE) continue
        const tmp = tmps[at] ?? ''
        if (typeof each[at] !== 'number') {
          takenBack(fd, tmp)
          continue
        }
        try {
          // Checked: quotas report some errors only now (D002).
          fs.closeSync(fd)
        } catch (error) {
          each[at] = failure(error)
          takenBack(NONE, tmp)
        }
      }
      answer({ id, each })
    }
    for (const [at, fd] of fds.entries()) {
      if (fd === NONE) continue
      if (waits) {
        left += 1
        fs.fsync(fd, (error) => {
          if (error !== null) each[at] = failure(error)
          synced()
        })
      } else {
        try {
          fs.fsyncSync(fd)
        } catch (error) {
          each[at] = failure(error)
        }
      }
    }
    synced()
  }

  function link({ id, tmps, targets }: Linking): void {
    const each = tmps.map((tmp, at): true | Failure => {
      try {
        fs.linkSync(tmp, targets[at] ?? '')
      } catch (error) {
        return failure(error)
      }
      try {
        fs.unlinkSync(tmp)
      } catch {
        // It is delivered, and a later sweep removes the second name.
      }
      return true
    })
    answer({ id, each })
  }

  parentPort?.on('message', (given: Writing | Linking) => (given.kind === 'write' ? write(given) : link(given)))
  answer({ id: 0, each: [] })
}
