// A destination of an embedding program, written against the public door alone: each message is a file of its own in a folder. It
// makes its messages durable, and can say what became of an attempt.
import { constants } from 'node:fs'
import path from 'node:path'
import type { Destination } from '../../../src/deliver/destination.ts'
import { type FileSystem, syncDirectory, writeAll } from '../../../src/deliver/disk/filesystem.ts'
import { defineDestination, type OwnAttempt, type OwnDestination } from '../../../src/deliver/own/definition.ts'
import type { OwnMessage } from '../../../src/deliver/own/message.ts'
import { openOwn } from '../../../src/deliver/own/own.ts'
import { undelivered } from '../../../src/deliver/own/undelivered.ts'
import { errnoOf } from '../../../src/errors.ts'

interface FolderOptions {
  readonly root: string
  readonly fileSystem: FileSystem
  readonly limitMs: number | null
  /** Does it say what became of an attempt? */
  readonly recalls: boolean
  readonly description?: string
}

export function openFolder({
  root,
  fileSystem,
  limitMs,
  recalls,
  description = 'folder place',
}: FolderOptions): Destination {
  const { deliver, ready, recall } = folder(root, fileSystem)
  const defined = defineDestination({ description, deliver, ready, ...(recalls ? { recall } : {}) })
  return openOwn({ name: 'own', defined, recipients: [], timeoutMs: limitMs ?? defined.timeoutMs })
}

function folder(root: string, fileSystem: FileSystem) {
  const remove = async (name: string): Promise<void> => {
    try {
      await fileSystem.unlink(path.join(root, name))
    } catch (error) {
      if (errnoOf(error) !== 'ENOENT') throw error
    }
  }
  const write = async (part: string, message: OwnMessage): Promise<void> => {
    const { O_WRONLY, O_CREAT, O_EXCL, O_NOFOLLOW } = constants
    const fd = await fileSystem.open(path.join(root, part), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0o600)
    try {
      for await (const chunk of message.chunks()) await writeAll(fileSystem, fd, chunk)
      await fileSystem.fsync(fd)
    } finally {
      await fileSystem.close(fd)
    }
  }
  return {
    ready: async () => {
      await fileSystem.access(root, constants.W_OK | constants.X_OK)
    },
    recall: async ({ intent }: OwnAttempt) => {
      await remove(`${intent}.part`)
      for await (const names of fileSystem.names(root)) {
        if (!names.includes(intent)) continue
        await syncDirectory(fileSystem, root)
        return { text: path.join(root, intent) }
      }
      return null
    },
    deliver: async ({ intent }: OwnAttempt, message: OwnMessage, signal: AbortSignal) => {
      try {
        await write(`${intent}.part`, message)
        signal.throwIfAborted()
      } catch (cause) {
        await remove(`${intent}.part`).catch(() => {})
        const scope = ['ENOENT', 'ENOSPC'].includes(errnoOf(cause) ?? '') ? 'destination' : 'message'
        throw undelivered({ verdict: 'temporary', scope, text: `cannot write: ${String(cause)}`, cause })
      }
      // From here on nobody knows, and an error that says nothing more is the right one.
      await fileSystem.rename(path.join(root, `${intent}.part`), path.join(root, intent))
      await syncDirectory(fileSystem, root)
      return { text: path.join(root, intent) }
    },
  } satisfies Omit<OwnDestination, 'description'>
}
