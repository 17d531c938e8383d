// A disk that fails as a full, read-only or broken one does. The calls of node:fs/promises on files below a folder fail once
// `armed` says so. Other files are as ever.
import promises, { type FileHandle } from 'node:fs/promises'
import { syncBuiltinESMExports } from 'node:module'

/** What fails: making or opening a file to write; the bytes (half of them are written); making them durable; the new name; taking
 *  a file away; a folder that is to be made durable. */
export type Call = 'open' | 'write' | 'sync' | 'rename' | 'remove' | 'folder'

export interface BadDisk {
  readonly folder: string
  readonly errno: string
  readonly calls: readonly Call[]
  readonly armed?: () => boolean
}

export function badDisk({ folder, errno, calls, armed = () => true }: BadDisk): Disposable {
  const { open, mkdir, rename, rm } = promises
  const fails = (call: Call, path: unknown): boolean =>
    calls.includes(call) && armed() && String(path).startsWith(folder)
  const refuse = (call: Call, path: unknown): void => {
    if (fails(call, path)) throw fault(errno)
  }
  const opened = (handle: FileHandle, path: unknown): FileHandle => {
    const writeFile = handle.writeFile.bind(handle)
    const sync = handle.sync.bind(handle)
    handle.writeFile = async (data, options) => {
      if (!fails('write', path)) return await writeFile(data, options)
      const bytes = Buffer.from(data as Buffer)
      await writeFile(bytes.subarray(0, bytes.length / 2), options)
      throw fault(errno)
    }
    handle.sync = async () => {
      refuse('sync', path)
      await sync()
    }
    return handle
  }
  Object.assign(promises, {
    open: async (path: string, flags?: string | number, mode?: number) => {
      const isRead = flags === undefined || flags === 'r' || typeof flags === 'number'
      if (!isRead) refuse('open', path)
      if (isRead && typeof flags !== 'number') refuse('folder', path)
      return opened(await open(path, flags, mode), path)
    },
    mkdir: async (path: string, options: object) => {
      refuse('open', path)
      return await mkdir(path, options)
    },
    rename: async (from: string, to: string) => {
      refuse('rename', to)
      await rename(from, to)
    },
    rm: async (path: string, options: object) => {
      refuse('remove', path)
      await rm(path, options)
    },
  })
  syncBuiltinESMExports()
  return {
    [Symbol.dispose]() {
      Object.assign(promises, { open, mkdir, rename, rm })
      syncBuiltinESMExports()
    },
  }
}

function fault(errno: string): Error {
  return Object.assign(new Error(`${errno}: as the test says`), { code: errno })
}
