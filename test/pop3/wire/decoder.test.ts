import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Decoder, STATUS_LINE_LIMIT, UnaskedBytesError } from '../../../src/pop3/wire/decoder.ts'

const latin1 = (text: string): Buffer => Buffer.from(text, 'latin1')

/** Expects as many answers as it is told, `m` with and `s` without a multi-line part, and keeps what comes. */
class Recorder {
  readonly answers: { line: string; body: string | null }[] = []
  readonly decoder: Decoder
  readonly #due: string[]
  #chunks: Buffer[] = []

  constructor(due: string) {
    this.#due = [...due]
    this.decoder = new Decoder(this)
  }

  expects(): boolean {
    return this.#due.length > 0
  }

  status(line: Buffer): boolean {
    const multiline = this.#due[0] === 'm' && line[0] === 0x2b
    this.answers.push({ line: line.toString('latin1'), body: null })
    this.#chunks = []
    if (!multiline) this.#due.shift()
    return multiline
  }

  body(bytes: Buffer): void {
    this.#chunks.push(bytes)
  }

  end(): void {
    this.answers.at(-1)!.body = Buffer.concat(this.#chunks).toString('latin1')
    this.#due.shift()
  }

  get complete(): boolean {
    return this.#due.length === 0
  }

  /** What came of the body that has not ended. */
  get partial(): string {
    return Buffer.concat(this.#chunks).toString('latin1')
  }
}

function feed(due: string, chunks: readonly Buffer[]): Recorder {
  const recorder = new Recorder(due)
  for (const chunk of chunks) recorder.decoder.feed(chunk)
  return recorder
}

/** Whole, byte by byte, in two at every point, and in pieces of 2 to 7 bytes. */
function* splits(stream: Buffer): Iterable<readonly Buffer[]> {
  yield [stream]
  for (let size = 1; size < 8; size++) yield pieces(stream, size)
  for (let at = 1; at < stream.length; at++) yield [stream.subarray(0, at), stream.subarray(at)]
}

function pieces(stream: Buffer, size: number): readonly Buffer[] {
  const chunks: Buffer[] = []
  for (let at = 0; at < stream.length; at += size) chunks.push(stream.subarray(at, at + size))
  return chunks
}

describe('a multi-line answer, however it is cut into chunks,', () => {
  it.each([
    ['an empty one', '+OK\r\n.\r\n', ''],
    ['one line', '+OK\r\na\r\n.\r\n', 'a\r\n'],
    ['a line of one stuffed dot (P113)', '+OK\r\n..\r\n.\r\n', '.\r\n'],
    ['stuffed and wrongly stuffed dots (P114)', '+OK\r\n.x\r\n..y\r\n...z\r\n.\r\n', 'x\r\n.y\r\n..z\r\n'],
    ['dots that are nothing special', '+OK\r\na.\r\nb..\r\n c.d\r\n.\r\n', 'a.\r\nb..\r\n c.d\r\n'],
    ['stuffed dots line after line', '+OK\r\n..\r\n..\r\n...\r\n.\r\n', '.\r\n.\r\n..\r\n'],
    ['a bare LF before a lone dot (P115)', '+OK\r\na\n.\n+OK 1\nb\r\n.\r\n', 'a\n.\n+OK 1\nb\r\n'],
    ['a bare LF, dot and CRLF (P115)', '+OK\r\na\n.\r\nb\r\n.\r\n', 'a\n.\r\nb\r\n'],
    ['CRLF, dot and a bare LF (P115)', '+OK\r\na\r\n.\nb\r\n.\r\n', 'a\r\n\nb\r\n'],
    ['bare CRs (P116)', '+OK\r\na\rb\r\r\n\r\rc\r\n.\r\n', 'a\rb\r\r\n\r\rc\r\n'],
    ['a bare CR before a dot (P116)', '+OK\r\na\r.\r\n.\r\n', 'a\r.\r\n'],
    ['a dot, a bare CR and text (P116)', '+OK\r\n.\rx\r\n.\r\n', '\rx\r\n'],
    ['the same behind another line (P116)', '+OK\r\na\r\n.\rx\r\n.\r\n', 'a\r\n\rx\r\n'],
    ['a dot and two CRs (P116)', '+OK\r\n.\r\r\n.\r\n', '\r\r\n'],
    ['a dot, CR, and a line that starts with a dot', '+OK\r\n.\r\r\n..a\r\n.\r\n', '\r\r\n.a\r\n'],
    ['NULs (P117)', '+OK\r\na\0b\0\r\n\0\r\n.\r\n', 'a\0b\0\r\n\0\r\n'],
    ['lines like answers (P125)', '+OK\r\n+OK x\r\n-ERR y\r\n+ z\r\n.\r\n', '+OK x\r\n-ERR y\r\n+ z\r\n'],
    ['the status line twice (P126)', '+OK\r\n+OK\r\nSubject: a\r\n\r\n.\r\n', '+OK\r\nSubject: a\r\n\r\n'],
    ['bytes above ASCII', '+OK\r\n\xff\xfe\x80\r\n.\r\n', '\xff\xfe\x80\r\n'],
  ])('comes out right: %s', (_what, stream, body) => {
    // Another answer behind it shows that the end was found to the byte.
    const bytes = latin1(`${stream}+OK next\r\n`)
    for (const chunks of splits(bytes)) {
      const { answers, complete } = feed('ms', chunks)
      expect(answers).toEqual([
        { line: '+OK', body },
        { line: '+OK next', body: null },
      ])
      expect(complete).toBe(true)
    }
  })

  it.each([
    ['\\r\\n.', '+OK\r\na\r\n.', 'a\r\n'],
    ['\\r\\n.\\r', '+OK\r\na\r\n.\r', 'a\r\n'],
    ['the dot of a stuffed line', '+OK\r\na\r\n..', 'a\r\n.'],
    ['a glued dot (P112)', '+OK\r\na.\r\n', 'a.\r\n'],
    ['\\n.\\n', '+OK\r\na\n.\n', 'a\n.\n'],
    ['nothing of the body', '+OK\r\n', ''],
    ['half a status line', '+O', ''],
  ])('is not complete when the stream ends after %s (P111)', (_what, stream, partial) => {
    for (const chunks of splits(latin1(stream))) {
      const recorder = feed('m', chunks)
      expect(recorder.complete).toBe(false)
      expect(recorder.partial).toBe(partial)
    }
  })

  it('does not follow a refusal', () => {
    for (const chunks of splits(latin1('-ERR no\r\n+OK\r\nx\r\n.\r\n'))) {
      expect(feed('mm', chunks).answers).toEqual([
        { line: '-ERR no', body: null },
        { line: '+OK', body: 'x\r\n' },
      ])
    }
  })

  it('is handed out as views of the chunk, in no more pieces than it has dots', () => {
    const line = 'x'.repeat(998)
    const chunk = latin1(`+OK\r\n${`${line}\r\n`.repeat(60)}..\r\n${line}\r\n.\r\n`)
    let bodies = 0
    const decoder = new Decoder({
      expects: () => true,
      status: () => true,
      body: (bytes) => {
        bodies++
        expect(bytes.buffer).toBe(chunk.buffer)
      },
      end: () => {},
    })
    decoder.feed(chunk)
    expect(bodies).toBe(2)
  })
})

describe('any messages', () => {
  const byte = fc.oneof(
    { arbitrary: fc.constantFrom(0x0d, 0x0a, 0x2e), weight: 3 },
    { arbitrary: fc.integer({ min: 0, max: 255 }), weight: 1 },
  )
  const message = fc.array(byte, { maxLength: 60 }).map((bytes) => Buffer.from(bytes))
  const session = fc.record({
    messages: fc.array(message, { minLength: 1, maxLength: 5 }),
    sizes: fc.array(fc.integer({ min: 1, max: 12 }), { minLength: 1, maxLength: 50 }),
  })

  /** RFC 1939 section 3, in the plainest way there is. */
  function encoded(body: string, end: string): string {
    const lines = body.split(end)
    if (lines.at(-1) === '') lines.pop()
    return lines.map((line) => `${line.startsWith('.') ? '.' : ''}${line}${end}`).join('') + `.${end}`
  }

  function cut(stream: Buffer, sizes: readonly number[]): readonly Buffer[] {
    const chunks: Buffer[] = []
    for (let at = 0, n = 0; at < stream.length; n++) {
      const size = sizes[n % sizes.length]!
      chunks.push(stream.subarray(at, at + size))
      at += size
    }
    return chunks
  }

  it('come out as a CRLF server encoded them, however they are cut', () => {
    fc.assert(
      fc.property(session, ({ messages, sizes }) => {
        const bodies = messages
          .map((bytes) => bytes.toString('latin1'))
          .map((b) => (b.endsWith('\r\n') ? b : `${b}\r\n`))
        const stream = latin1(`+OK hello\r\n${bodies.map((body) => `+OK\r\n${encoded(body, '\r\n')}`).join('')}`)
        const recorder = feed(`s${'m'.repeat(bodies.length)}`, cut(stream, sizes))
        expect(recorder.answers.slice(1).map(({ body }) => body)).toEqual(bodies)
        expect(recorder.complete).toBe(true)
      }),
      { numRuns: 3000 },
    )
  })

  it('and any other bytes come out the same whole and cut', () => {
    const outcome = (chunks: readonly Buffer[]): unknown => {
      const recorder = new Recorder('smmsmm')
      try {
        for (const chunk of chunks) recorder.decoder.feed(chunk)
      } catch (error) {
        return [recorder.answers, recorder.partial, (error as Error).message]
      }
      return [recorder.answers, recorder.partial]
    }
    fc.assert(
      fc.property(fc.constantFrom('+OK\r\n+OK\r\n', '+OK\n+OK\n', ''), session, (head, { messages, sizes }) => {
        const stream = Buffer.concat([latin1(head), ...messages])
        expect(outcome(cut(stream, sizes))).toEqual(outcome([stream]))
      }),
      { numRuns: 2000 },
    )
  })

  it('come out as an LF server encoded them, however they are cut', () => {
    fc.assert(
      fc.property(session, ({ messages, sizes }) => {
        const bodies = messages.map((bytes) => bytes.toString('latin1')).map((b) => (b.endsWith('\n') ? b : `${b}\n`))
        const stream = latin1(`+OK hello\n${bodies.map((body) => `+OK\n${encoded(body, '\n')}`).join('')}`)
        const recorder = feed(`s${'m'.repeat(bodies.length)}`, cut(stream, sizes))
        expect(recorder.answers.slice(1).map(({ body }) => body)).toEqual(bodies)
        expect(recorder.complete).toBe(true)
      }),
      { numRuns: 1000 },
    )
  })
})

describe('line ends of a server', () => {
  it('are LF throughout when its status lines end so', () => {
    const stream = latin1('+OK\n+OK\na\n..b\n.c\n\n.\n-ERR no\n')
    for (const chunks of splits(stream)) {
      expect(feed('sms', chunks).answers.slice(1)).toEqual([
        { line: '+OK', body: 'a\n.b\nc\n\n' },
        { line: '-ERR no', body: null },
      ])
    }
  })

  it('may be CRLF in the messages of a server whose status lines end in LF', () => {
    for (const chunks of splits(latin1('+OK\n+OK\na\r\n..b\r\n.\r\n+OK\n'))) {
      expect(feed('sms', chunks).answers[1]).toEqual({ line: '+OK', body: 'a\r\n.b\r\n' })
    }
  })

  it('are CRLF from the first status line that ends so, whatever the greeting ended in', () => {
    for (const chunks of splits(latin1('+OK hello\n+OK\r\na\n.\nb\r\n.\r\n'))) {
      expect(feed('sm', chunks).answers).toEqual([
        { line: '+OK hello', body: null },
        { line: '+OK', body: 'a\n.\nb\r\n' },
      ])
    }
  })

  it('do not end a status line with a bare LF once they are CRLF', () => {
    for (const chunks of splits(latin1('+OK\r\n-ERR a\nb\n\r\n'))) {
      expect(feed('ss', chunks).answers[1]).toEqual({ line: '-ERR a\nb\n', body: null })
    }
  })
})

describe('unsolicited data', () => {
  it.each([
    ['behind the greeting, in one packet (P027)', 's', '+OK hi\r\n+OK logged in\r\n', '+OK logged in'],
    ['glued on without a line end (P045)', 's', '+OK begin\r\n+O', '+O'],
    ['behind a body that was not stuffed (P113)', 'm', '+OK\r\na\r\n.\r\n+OK smuggled\r\nb\r\n', '+OK smuggled'],
    ['a second status line (P126)', 's', '+OK\r\n+OK\r\n', '+OK'],
    ['an empty line', 's', '+OK\r\n\r\n', ''],
  ])('are refused: %s', (_what, due, stream, bytes) => {
    const error = thrown(() => feed(due, [latin1(stream)]))
    expect(error).toBeInstanceOf(UnaskedBytesError)
    expect((error as UnaskedBytesError).code).toBe('ERR_POP3_PROTOCOL')
    expect((error as UnaskedBytesError).bytes.toString('latin1')).toBe(bytes)
    for (const chunks of splits(latin1(stream))) expect(() => feed(due, chunks)).toThrow(UnaskedBytesError)
  })

  it('are kept in the error up to 512 of them', () => {
    const error = thrown(() => feed('s', [latin1(`+OK\r\n${'x'.repeat(10_000)}`)])) as UnaskedBytesError
    expect(error.bytes.length).toBe(512)
  })
})

describe('a status line', () => {
  it(`may be ${STATUS_LINE_LIMIT} bytes long and no longer (P025)`, () => {
    const longest = 'x'.repeat(STATUS_LINE_LIMIT - 1)
    expect(feed('s', [latin1(`${longest}\r\n`)]).answers[0]?.line).toBe(longest)
    for (const size of [1, 1000, 1_000_000]) {
      expect(() => feed('s', pieces(latin1(`${longest}xx\r\n`), size))).toThrow(/over 8192 bytes/)
    }
  })

  it('is measured alone', () => {
    const line = `+OK ${'x'.repeat(5000)}`
    expect(feed('sss', [latin1(`${line}\r\n${line}\r\n${line}\r\n`)]).answers.length).toBe(3)
  })

  it('that never ends is refused before it fills memory (P025)', () => {
    const chunk = Buffer.alloc(1024, 'x')
    let fed = 0
    const decoder = new Recorder('s').decoder
    expect(() => {
      for (; fed < 1000; fed++) decoder.feed(chunk)
    }).toThrow(/over 8192 bytes/)
    expect(fed).toBe(8)
  })
})

function thrown(action: () => unknown): unknown {
  try {
    action()
  } catch (error) {
    return error
  }
  throw new Error('nothing was thrown')
}
