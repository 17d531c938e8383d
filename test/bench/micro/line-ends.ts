// CRLF → LF, as every message for a Maildir is written.
import { crlfToLf } from '../../../src/deliver/disk/line-endings.ts'
import type { Work } from './rate.ts'
import { wireMessage } from './wire-message.ts'

const TOTAL_BYTES = 4_000_000

export const lineEnds: readonly Work[] = [512, 4_096, 65_536].map((sizeBytes) => {
  const source = wireMessage(sizeBytes)
  const target = Buffer.alloc(source.length)
  const times = Math.ceil(TOTAL_BYTES / source.length)
  return {
    name: `line ends, ${sizeBytes} bytes at once`,
    unit: 'MB/s',
    amount: (times * source.length) / 1e6,
    round: () => {
      for (let time = 0; time < times; time++) crlfToLf(source, target)
    },
  }
})
