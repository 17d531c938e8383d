// The beginning of a file that is only shown or told apart: whoever owns it, and however it came there. A pipe is not waited for.
import { constants } from 'node:fs'
import { open } from 'node:fs/promises'

/** '' for what cannot be read, or is no regular file. */
export async function readStart(file: string, limitBytes: number): Promise<string> {
  const handle = await open(file, constants.O_RDONLY | constants.O_NONBLOCK).catch(() => null)
  if (handle === null) return ''
  try {
    if (!(await handle.stat()).isFile()) return ''
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(limitBytes), 0, limitBytes, 0)
    return buffer.toString('utf8', 0, bytesRead)
  } catch {
    return ''
  } finally {
    await handle.close()
  }
}
