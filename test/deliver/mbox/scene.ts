// What the tests of an mbox share: an mbox that is open, and what is in it.
import fs from 'node:fs'
import path from 'node:path'
import type { Destination } from '../../../src/deliver/destination.ts'
import { Reserve } from '../../../src/deliver/disk/reserve.ts'
import { traceField } from '../../../src/deliver/envelope.ts'
import { type MboxContext, openMbox } from '../../../src/deliver/mbox/mbox.ts'
import type { Message } from '../../../src/message.ts'
import { message, NOW_MS } from '../scene.ts'
import { lettersIn } from './letters-in.ts'

export * from '../scene.ts'

export interface Options extends Partial<MboxContext> {
  readonly trace?: boolean
}

export function open(file: string, { trace = true, ...context }: Options = {}): Destination {
  return openMbox(
    { path: file, trace, description: 'mbox in' },
    {
      hostName: 'laptop',
      nowMs: () => NOW_MS,
      prefix: ({ origin }) => (trace ? traceField(origin, { hostName: 'laptop', nowMs: NOW_MS }) : ''),
      reserve: new Reserve(),
      lockLimitMs: 0,
      lockRetryMs: 1,
      ...context,
    },
  )
}

export function read(file: string): string {
  return fs.readFileSync(file, 'latin1')
}

/** The messages in an mbox without what popfetch put on top. */
export function messages(file: string): string[] {
  return lettersIn(read(file))
}

export function numbered(number: number): Message {
  return message(Buffer.from(`Subject: letter ${number}\r\n\r\nFrom ${number}\r\n`.repeat(3)))
}

export function inFile(folder: string, bytes: Buffer): Message {
  const file = path.join(folder, 'spool')
  fs.writeFileSync(file, bytes)
  return { ...message(bytes), body: { kind: 'file', path: file, form: { lineEndings: 'crlf', prefixBytes: 0 } } }
}
