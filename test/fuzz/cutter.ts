// What the cutter cuts, and what the decoder reads from the rest, is what the decoder reads from all of it.
import { PopfetchError } from '../../src/errors.ts'
import { Cutter } from '../../src/pop3/wire/cutter.ts'
import { Decoder } from '../../src/pop3/wire/decoder.ts'
import { parseReply } from '../../src/pop3/wire/reply.ts'
import type { Random } from './random.ts'
import { asBytes, same, type Target } from './target.ts'

const ASKED = 8
const MEMORY_BYTES = 16 << 10

/** The bodies of whole answers to RETR, and then how it ends. */
function bodies(bytes: Buffer, asked: number): { readonly whole: readonly string[]; readonly end: string } {
  const whole: string[] = []
  let body: Buffer[] = []
  let left = asked + 1
  let end = ''
  const decoder = new Decoder({
    expects: () => left > 0,
    status(line) {
      left--
      body = []
      const reply = parseReply(line)
      // The first one only tells the line ends of the server.
      if (left === asked) return false
      if (reply.status !== 'ok')
        throw new PopfetchError('ERR_POP3_REPLY', 'refused', { scope: 'account', retry: 'later' })
      return true
    },
    body: (piece) => void body.push(Buffer.from(piece)),
    end: () => void whole.push(Buffer.concat(body).toString('latin1')),
  })
  try {
    decoder.feed(asBytes('+OK\r\n'))
    decoder.feed(bytes)
    end = whole.length < asked - left ? Buffer.concat(body).toString('latin1') : ''
  } catch (error) {
    if (!(error instanceof PopfetchError)) throw error
    end = error.code
  }
  return { whole, end }
}

/** The same, as far as it goes with the cutter. */
function cut(bytes: Buffer, sizes: readonly number[], random: Random): string {
  const cutter = new Cutter(Buffer.alloc(MEMORY_BYTES, '\r\n.\r\n'))
  const messages: string[] = []
  let taken = 0
  let plain = true
  for (const piece of random.pieces(bytes)) {
    if (!cutter.append(piece)) break
    taken += piece.length
    const most = 1 + random.below(3)
    for (let more = true; plain && more;) {
      plain = cutter.cut(sizes, messages.length, ASKED, most)
      more = cutter.starts.length > 0
      for (const [at, start] of cutter.starts.entries())
        messages.push(cutter.memory.toString('latin1', start, cutter.ends[at]))
      cutter.clear()
      if (random.below(2) === 0) cutter.moveTo(Buffer.alloc(MEMORY_BYTES, '.\r\n'))
    }
    if (!plain) break
  }
  const rest = Buffer.concat([cutter.rest(), bytes.subarray(taken)])
  const { whole, end } = bodies(rest, ASKED - messages.length)
  return [...messages, ...whole, end].join('\0')
}

export const cutterTarget: Target = {
  name: 'cutter',
  seeds: [
    '+OK 12 octets\r\nSubject: a\r\n.\r\n+OK\r\n..\r\n...b\r\n\r\n.\r\n+OK\r\n.\r\n',
    '+OK\r\nc\r\n.\r\n-ERR no such message\r\n+OK\r\nd\r\n.\r\n',
    '+OK\r\n.\rx\r\n\n.\n\r\n.\r\n+OK\r\n\r\n.\r\n+OK e',
  ].map(asBytes),
  run(input, random) {
    const bytes = input.subarray(0, MEMORY_BYTES / 2)
    const { whole, end } = bodies(bytes, ASKED)
    // Now and then another size than the right one was announced.
    const sizes = Array.from({ length: ASKED }, (_, at) => (whole[at] ?? '').length + (random.below(8) === 0 ? 1 : 0))
    same([...whole, end].join('\0'), cut(bytes, sizes, random))
  },
}
