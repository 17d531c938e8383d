// The decoder: a thousand answers to RETR, as one stream cut into chunks of several sizes.
import { Decoder } from '../../../src/pop3/wire/decoder.ts'
import { wireMessage } from './wire-message.ts'
import type { Work } from './rate.ts'

const MESSAGES = 1_000
const answer = Buffer.concat([Buffer.from('+OK\r\n'), wireMessage(4_096), Buffer.from('.\r\n')])
const stream = Buffer.concat(Array.from({ length: MESSAGES }, () => answer))

function decoded(chunks: readonly Buffer[]): void {
  let bodyBytes = 0
  let ended = 0
  const decoder = new Decoder({
    expects: () => true,
    status: () => true,
    body: (bytes) => void (bodyBytes += bytes.length),
    end: () => void ended++,
  })
  for (const chunk of chunks) decoder.feed(chunk)
  if (ended !== MESSAGES || bodyBytes === 0) throw new Error(`${ended} of ${MESSAGES} messages came out of the decoder`)
}

function cut(sizeBytes: number): readonly Buffer[] {
  return Array.from({ length: Math.ceil(stream.length / sizeBytes) }, (_, index) =>
    stream.subarray(index * sizeBytes, (index + 1) * sizeBytes),
  )
}

export const decoding: readonly Work[] = [
  ['64 KiB', cut(65_536)] as const,
  // As they come from a network, and as no server should send them.
  ['1460 bytes', cut(1_460)] as const,
  ['64 bytes', cut(64)] as const,
].map(([size, chunks]) => ({
  name: `decoder, chunks of ${size}`,
  unit: 'MB/s',
  amount: stream.length / 1e6,
  round: () => decoded(chunks),
}))
