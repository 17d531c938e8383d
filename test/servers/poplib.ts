// Another program's opinion of what a mailbox holds: Python's poplib.
import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { findProgram } from './program.ts'

export interface Address {
  readonly port: number
  readonly tls: 'none' | 'starttls' | 'implicit'
}

/** The messages on 127.0.0.1, line ends as LF, in no order. */
export async function poplibMessages(
  { port, tls }: Address,
  user: string,
  password: string,
): Promise<readonly Buffer[]> {
  const python = await findProgram('python3', 'python3')
  const script = join(import.meta.dirname, 'every_message.py')
  const { stdout } = await promisify(execFile)(python, [script, '127.0.0.1', String(port), tls, user, password], {
    maxBuffer: 1 << 28,
    timeout: 60_000,
  })
  return (JSON.parse(stdout) as readonly string[]).map((message) =>
    Buffer.from(Buffer.from(message, 'base64').toString('latin1').replaceAll('\r\n', '\n'), 'latin1'),
  )
}
