// Another program's opinion of what an IMAP folder holds: Python's imaplib.
import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { findProgram } from './program.ts'

export interface ImaplibFolder {
  readonly there: boolean
  /** With LF line ends, in their order. */
  readonly messages: readonly Buffer[]
  /** Answers to LSUB. */
  readonly subscribed: readonly string[]
}

/** The folder on 127.0.0.1, without TLS. `folder`: as the server writes its name. */
export async function imaplibFolder(
  port: number,
  user: string,
  password: string,
  folder: string,
): Promise<ImaplibFolder> {
  const python = await findProgram('python3', 'python3')
  const script = join(import.meta.dirname, 'every_imap_message.py')
  const { stdout } = await promisify(execFile)(python, [script, '127.0.0.1', String(port), user, password, folder], {
    maxBuffer: 1 << 28,
    timeout: 60_000,
  })
  const told = JSON.parse(stdout) as { there: boolean; messages: readonly string[]; subscribed: readonly string[] }
  const messages = told.messages.map((message) =>
    Buffer.from(Buffer.from(message, 'base64').toString('latin1').replaceAll('\r\n', '\n'), 'latin1'),
  )
  return { ...told, messages }
}
