// Messages to deliver; nothing of vitest, so that child processes of tests can use them too.
import { hash, randomBytes } from 'node:crypto'
import type { Attempt } from '../../src/deliver/destination.ts'
import { field, fingerprint, splitHeader } from '../../src/header.ts'
import type { Message, Origin } from '../../src/message.ts'

export const NOW_MS = Date.UTC(2026, 10, 24, 13, 10, 22)
export const never = new AbortController().signal

export function origin(uidl = 'uid-1', copy = 0): Origin {
  return { account: 'old-isp', host: 'pop.example.net', user: 'alice', uidl, copy, protocol: 'POP3S' }
}

export function attempt(uidl?: string): Attempt {
  return { intent: randomBytes(8).toString('hex'), origin: origin(uidl), recipient: '' }
}

export const SMALL = Buffer.from(
  'Received: from a by b; Mon, 23 Nov 2026 10:00:00 +0000\r\nSubject: hello\r\nMessage-ID: <1@example.net>\r\n\r\nbody\r\n',
  'latin1',
)

/** Whatever a line-end conversion may stumble over (D015, P116, P117). */
export const ODD = Buffer.from('A: 1\r\n\r\n\r\r\nbare \r CR, lone \n LF, \0 NUL, \xff\r\n.\r\n\n\r\r\r\n\r', 'latin1')

/** More than fits into memory; a CRLF, a CR CR LF and a bare CR stand across the ends of buffers of 512 KiB. */
export function large(): Buffer {
  const bytes = Buffer.alloc(2_000_000, 'Some line of text, not too long.\r\n')
  SMALL.copy(bytes)
  ODD.copy(bytes, 700_000)
  bytes.write('x\r\ny', 512 * 1024 - 2, 'latin1')
  bytes.write('x\r\r\n', 2 * 512 * 1024 - 2, 'latin1')
  bytes.write('x\r\rz', 3 * 512 * 1024 - 2, 'latin1')
  bytes.write('end\r', bytes.length - 4, 'latin1')
  return bytes
}

export function asLf(bytes: Buffer): Buffer {
  return Buffer.from(bytes.toString('latin1').replaceAll('\r\n', '\n'), 'latin1')
}

/** For text without lone CRs and LFs. */
export function asCrlf(bytes: Buffer): Buffer {
  return Buffer.from(bytes.toString('latin1').replaceAll(/\r?\n/g, '\r\n'), 'latin1')
}

export function message(bytes: Buffer, from = origin()): Message {
  const header = splitHeader(bytes)
  return {
    origin: from,
    sizeBytes: bytes.length,
    digest: hash('sha256', bytes, 'buffer'),
    fingerprint: fingerprint(header),
    messageId: field(header, 'message-id'),
    header,
    body: { kind: 'memory', bytes },
    receivedMs: NOW_MS,
  }
}
