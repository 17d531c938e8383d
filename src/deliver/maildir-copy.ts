// A large message that does not lie in the Maildir yet, from its spool file into a file there, in the Maildir's form.
import { constants } from 'node:fs'
import type { Message } from '../message.ts'
import type { BodyFile } from './disk/body-file.ts'
import type { FileSystem } from './disk/filesystem.ts'

const COPY_BYTES = 256 * 1024

/** Copies a body file without the fields that another destination has on top. */
export async function fill(copy: BodyFile, message: Message, fileSystem: FileSystem): Promise<void> {
  const { body } = message
  if (body.kind !== 'file') return
  const fd = await fileSystem.open(body.path, constants.O_RDONLY | constants.O_NOFOLLOW)
  try {
    const buffer = Buffer.allocUnsafeSlow(COPY_BYTES)
    let skip = body.form.prefixBytes
    let copied = 0
    for (let length = await fileSystem.read(fd, buffer); length > 0; length = await fileSystem.read(fd, buffer)) {
      const part = buffer.subarray(Math.min(skip, length), length)
      skip -= length - part.length
      copied += part.length
      await copy.append(part)
    }
    // K3: what a file of ours says is believed only when it is whole.
    if (body.form.lineEndings === 'crlf' && copied !== message.sizeBytes) {
      throw new Error(`its file has ${copied} bytes instead of ${message.sizeBytes}`)
    }
  } finally {
    await fileSystem.close(fd)
  }
  await copy.finish()
}
