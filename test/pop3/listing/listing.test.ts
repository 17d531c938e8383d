import { createHash } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { LISTING_BYTES_LIMIT, LISTING_LIMIT, ListParser, withinListing } from '../../../src/pop3/listing/parser.ts'
import { Listing, type ListingEntry } from '../../../src/pop3/listing/listing.ts'

const latin1 = (text: string): Buffer => Buffer.from(text, 'latin1')

function parsed(...chunks: readonly Buffer[]): ListParser {
  const parser = new ListParser()
  for (const chunk of chunks) parser.feed(chunk)
  return parser
}

function pieces(stream: Buffer, size: number): readonly Buffer[] {
  const chunks: Buffer[] = []
  for (let at = 0; at < stream.length; at += size) chunks.push(stream.subarray(at, at + size))
  return chunks
}

function entries(sizes: string, uidls: string | null): readonly ListingEntry[] {
  const listing = Listing.ofFew(parsed(latin1(sizes)), uidls === null ? null : parsed(latin1(uidls)))
  return listing.slice(0, listing.length)
}

/** `number:uidl`, for tables about UIDL lines. */
function uidlsOf(uidls: string): string {
  return entries('', uidls)
    .map(({ number, uidl }) => `${number}:${uidl}`)
    .join(' ')
}

describe('a line of UIDL', () => {
  it.each([
    ['1 abc', '1:abc'],
    ['1   abc', '1:abc'],
    ['1\t abc', '1:abc'],
    ['+OK 1 abc', '1:abc'],
    ['+ok 1 abc', '1:abc'],
    ['1 a b\tc ', '1:a b\tc '],
    ['1 \xe4\x01\0"', '1:\xe4\x01\0"'],
    ['1 ../../x', '1:../../x'],
    ['1 ', '1:'],
    ['1', '1:'],
    ['001 abc', '1:abc'],
    ['2147483647 abc', '2147483647:abc'],
    ['2147483648 abc', ''],
    ['99999999999 abc', ''],
    ['0 abc', ''],
    ['-1 abc', ''],
    ['1abc', ''],
    ['x abc', ''],
    ['1.5 abc', ''],
    ['', ''],
    ['+OK', ''],
    ['+OK ', ''],
  ])('%j gives %j (P088–P092, P094)', (line, expected) => {
    expect(uidlsOf(`${line}\r\n`)).toBe(expected)
    expect(uidlsOf(`${line}\n`)).toBe(expected)
    // A bad line costs only itself.
    const among = uidlsOf(`7 before\r\n${line}\r\n9 after\r\n`).split(' ')
    expect(among).toContain('7:before')
    expect(among).toContain('9:after')
  })

  it('is dropped when it is longer than 16 KiB, however it was cut into chunks (P092, P104)', () => {
    const longest = 'x'.repeat(16_384 - 3)
    for (const [uidl, kept] of [
      [longest, true],
      [`${longest}x`, false],
      ['x'.repeat(20_000), false],
      ['x'.repeat(40_000), false],
    ] as const) {
      const stream = latin1(`1 a\r\n2 ${uidl}\r\n3 b\r\n`)
      for (const size of [1, 7, 1000, 16_384, stream.length]) {
        const listing = Listing.ofFew(new ListParser(), parsed(...pieces(stream, size)))
        const numbers = listing.slice(0, listing.length).map(({ number }) => number)
        expect(numbers).toEqual(kept ? [1, 2, 3] : [1, 3])
      }
    }
  })
})

describe('a UIDL that a ledger could take for a key of its own', () => {
  const digest = createHash('sha256').update('a long UIDL').digest().toString('latin1').replaceAll('\n', 'n')
  const strange = [digest, `\0top:${'0'.repeat(32)}`, `\0is:${'0'.repeat(64)}`, '\0']

  it.each(strange)('has a stand-in, in one piece or many: %j', (uidl) => {
    const text = `1 ${uidl}\r\n2 plain\r\n`
    const [whole, cut] = [[latin1(text)], pieces(latin1(text), 1)].map((chunks) => {
      const listing = Listing.ofFew(parsed(), parsed(...chunks))
      return [listing.uidl(0), listing.uidl(1)]
    })
    expect(whole).toEqual([expect.stringMatching(/^\0is:[0-9a-f]{64}$/), 'plain'])
    expect(cut).toEqual(whole)
    expect(strange).not.toContain(whole?.[0])
  })

  it('is another for each of them', () => {
    const listing = Listing.ofFew(parsed(), parsed(latin1(strange.map((uidl, at) => `${at + 1} ${uidl}\r\n`).join(''))))
    expect(new Set(strange.map((_, at) => listing.uidl(at))).size).toBe(strange.length)
  })

  it.each(['0123456789abcdef0123456789abcdef', 'a b', '\xff', 'x'.repeat(2000)])('is none of these: %j', (uidl) => {
    expect(uidlsOf(`1 ${uidl}\r\n`)).toBe(`1:${uidl}`)
  })
})

describe('a number', () => {
  it('may be missing and out of order', () => {
    expect(uidlsOf('5 e\r\n1 a\r\n3 c\r\n')).toBe('1:a 3:c 5:e')
  })

  it('that is listed twice gives nothing, as nobody knows which is right (P088)', () => {
    expect(uidlsOf('1 a\r\n2 b\r\n2 c\r\n3 d\r\n')).toBe('1:a 3:d')
    expect(uidlsOf('1 a\r\n2 b\r\n3 d\r\n2 b\r\n')).toBe('1:a 3:d')
    expect(uidlsOf('1 a\r\n1 b\r\n1 c\r\n')).toBe('')
  })

  it('keeps its own UIDL when another one is doubled', () => {
    expect(entries('1 10\r\n2 20\r\n3 30\r\n', '3 c\r\n2 x\r\n2 y\r\n1 a\r\n')).toMatchObject([
      { number: 1, uidl: 'a', copy: 0, sizeBytes: 10 },
      { number: 2, uidl: '', copy: 0, sizeBytes: 20 },
      { number: 3, uidl: 'c', copy: 0, sizeBytes: 30 },
    ])
  })
})

describe('a size', () => {
  it.each([
    ['1 120', 120],
    ['1  120', 120],
    ['1 120 octets', 120],
    ['1 0', 0],
    ['1 999999999999999', 999_999_999_999_999],
    ['1 9999999999999999', null],
    ['1 -1', null],
    ['1 12x', null],
    ['1 ', null],
    ['1', null],
  ])('of %j is %j (P101)', (line, sizeBytes) => {
    expect(entries(`${line}\r\n`, null)).toMatchObject([{ number: 1, uidl: '', copy: 0, sizeBytes }])
  })
})

describe('a listing', () => {
  // It is parsed a page at a time: 64 rows and 4 KiB first, then 4096 and 64 KiB.
  it.each([
    ...[63, 64, 65, 4159, 4160, 4161].map((rows) => [rows, 1, rows] as const),
    ...[63, 64, 65, 100, 200, 4090, 4095, 4096, 4097, 16_000].map((bytes) => [300, bytes, 2] as const),
  ])('of %i lines with texts of %i bytes, from the %i. line on, is whole', (rows, bytes, from) => {
    const texts = Array.from({ length: rows }, (_, at) => `${at}`.padEnd(at + 1 < from ? 1 : bytes, 'x'))
    const all = latin1(texts.map((text, at) => `${at + 1} ${text}\r\n`).join(''))
    const found = Listing.ofFew(parsed(...pieces(all, 10_000)), parsed(...pieces(all, 10_000)))
    expect(found.length).toBe(rows)
    expect(found.slice(0, rows).map(({ number, uidl }) => `${number} ${uidl}`)).toEqual(
      texts.map((text, at) => `${at + 1} ${text}`),
    )
  })

  it('joins both answers by number (P086, P087)', () => {
    const listing = Listing.ofFew(
      parsed(latin1('1 100\r\n2 200\r\n4 400\r\n')),
      parsed(latin1('1 a\r\n3 c\r\n4 d\r\n5 e\r\n')),
    )
    expect(listing.hasUidls).toBe(true)
    expect(listing.totalBytes).toBe(700)
    expect(listing.slice(0, 100)).toMatchObject([
      { number: 1, uidl: 'a', copy: 0, sizeBytes: 100 },
      { number: 2, uidl: '', copy: 0, sizeBytes: 200 },
      { number: 3, uidl: 'c', copy: 0, sizeBytes: null },
      { number: 4, uidl: 'd', copy: 0, sizeBytes: 400 },
      { number: 5, uidl: 'e', copy: 0, sizeBytes: null },
    ])
    expect(listing.slice(1, 3).map(({ number }) => number)).toEqual([2, 3])
  })

  it('knows whether there were UIDLs at all (P084)', () => {
    expect(Listing.ofFew(parsed(latin1('1 100\r\n')), null).hasUidls).toBe(false)
    expect(Listing.ofFew(parsed(), parsed())).toMatchObject({ hasUidls: true, length: 0, totalBytes: 0 })
  })

  it('numbers copies of a UIDL in the order of the mailbox, by its bytes (P093, P095)', () => {
    const uidls = ['a', 'A', 'a', '', 'b', 'a', '', '\xe4', '\xc4', 'b']
    const found = entries('', uidls.map((uidl, at) => `${at + 1} ${uidl}\r\n`).join(''))
    expect(found.map(({ uidl, copy }) => `${uidl}${copy}`)).toEqual([
      'a0',
      'A0',
      'a1',
      '0',
      'b0',
      'a2',
      '0',
      '\xe40',
      '\xc40',
      'b1',
    ])
  })

  it('says which place an entry has, and which UIDLs stand for more than one', () => {
    const listing = Listing.ofFew(parsed(), parsed(latin1('1 a\r\n5 b\r\n6 a\r\n7\r\n8\r\n9 \xe4\r\n10 \xe4\r\n')))
    expect(listing.slice(1, 3).map(({ index, number }) => [index, number])).toEqual([
      [1, 5],
      [2, 6],
    ])
    expect(listing.sharedUidls()).toEqual(new Set(['a', '\xe4']))
  })

  it('numbers copies as a table of strings would, whatever the UIDLs', () => {
    const uidl = fc.string({ unit: fc.constantFrom('a', 'b', '\xff', ' '), minLength: 1, maxLength: 3 })
    fc.assert(
      fc.property(fc.array(uidl, { maxLength: 60 }), (uidls) => {
        const seen = new Map<string, number>()
        const expected = uidls.map((text) => {
          const key = text.replace(/^ +/, '')
          const copy = key === '' ? 0 : (seen.get(key) ?? 0)
          seen.set(key, copy + 1)
          return { uidl: key, copy }
        })
        const found = entries('', uidls.map((text, at) => `${at + 1} ${text}\r\n`).join(''))
        expect(found.map((entry) => ({ uidl: entry.uidl, copy: entry.copy }))).toEqual(expected)
      }),
    )
  })

  it('is the same however the answers were cut into chunks', () => {
    const sizes = latin1('1 100\r\n2  200\r\n+OK 3 300\r\n99 x\r\n3 1\r\nbad\r\n')
    const uidls = latin1('1 a\r\n2 \t b\r\n4 a\r\n+OK 99 c d\r\n\r\n5\r\n')
    const whole = Listing.ofFew(parsed(sizes), parsed(uidls))
    const expected = whole.slice(0, whole.length)
    expect(expected.map(({ number }) => number)).toEqual([1, 2, 4, 5, 99])
    for (let size = 1; size <= uidls.length; size++) {
      const listing = Listing.ofFew(parsed(...pieces(sizes, size)), parsed(...pieces(uidls, size)))
      expect(listing.slice(0, 100)).toEqual(expected)
    }
    for (let at = 0; at <= uidls.length; at++) {
      const listing = Listing.ofFew(
        parsed(sizes.subarray(0, at), sizes.subarray(at)),
        parsed(uidls.subarray(0, at), uidls.subarray(at)),
      )
      expect(listing.slice(0, 100)).toEqual(expected)
    }
  })

  it('of many messages keeps each UIDL and size with its number, in whatever order they come', () => {
    const uidlOf = (number: number): string => `${number}`.repeat(number % 4000 === 0 ? 3000 : number % 20)
    for (const order of [1, 7919]) {
      const numbers = Array.from({ length: 10_000 }, (_, at) => ((at * order) % 10_000) + 1)
      const sizes = numbers.filter((number) => number % 3 > 0).map((number) => `${number} ${number + 5}\r\n`)
      const uidls = numbers.filter((number) => number % 5 > 0).map((number) => `${number} ${uidlOf(number)}\r\n`)
      const listing = Listing.ofFew(
        parsed(...pieces(latin1(sizes.join('')), 5000)),
        parsed(...pieces(latin1(uidls.join('')), 5000)),
      )
      const listed = listing.slice(0, 10_000)
      expect(listed.length).toBe(numbers.filter((number) => number % 3 > 0 || number % 5 > 0).length)
      for (const { number, uidl, sizeBytes } of listed) {
        expect([uidl, sizeBytes]).toEqual([number % 5 > 0 ? uidlOf(number) : '', number % 3 > 0 ? number + 5 : null])
      }
    }
  })

  it('finds the first entry with a UIDL, and tells whether some are there one after the other', () => {
    const listing = Listing.ofFew(parsed(), parsed(latin1('1 a\r\n2 bc\r\n3 a\r\n4\r\n5 \xe4\r\n')))
    expect(['a', 'bc', '\xe4', 'b', ''].map((uidl) => listing.find(latin1(uidl)))).toEqual([0, 1, 4, -1, -1])
    expect([...listing.sharing()]).toEqual([0, 2])
    expect(listing.reads(0, 3, latin1('a\nbc\na\n'))).toBe(true)
    expect(listing.reads(1, 1, latin1('bc\n'))).toBe(true)
    expect(listing.reads(0, 2, latin1('ab\nc\n'))).toBe(false)
    expect(listing.reads(0, 2, latin1('a\nbc\na\n'))).toBe(false)
    // One key with a line end in it is not two entries.
    expect(listing.reads(0, 1, latin1('a\nbc\n'))).toBe(false)
    expect(listing.reads(4, 2, latin1('\xe4\n'))).toBe(false)
  })

  it('of a million messages takes less than 120 MB (P103)', () => {
    const text = (line: (number: number) => string): readonly Buffer[] => {
      let all = ''
      for (let number = 1; number <= 1_000_000; number++) all += `${line(number)}\r\n`
      return pieces(latin1(all), 65_536)
    }
    const sizeChunks = text((number) => `${number} ${1000 + (number % 5000)}`)
    const uidlChunks = text((number) => `${number} ${number.toString(16).padStart(16, '0')}`)
    const before = memoryBytes()
    const listing = Listing.ofFew(parsed(...sizeChunks), parsed(...uidlChunks))
    expect(memoryBytes() - before).toBeLessThan(120e6)
    expect(listing.length).toBe(1_000_000)
    expect(listing.slice(999_999, 1_000_001)).toMatchObject([
      { number: 1_000_000, uidl: '00000000000f4240', copy: 0, sizeBytes: 1000 },
    ])
  })

  it(`of more than ${LISTING_LIMIT} messages is refused (P104)`, () => {
    const chunk = latin1('1\n'.repeat(50_000))
    const parser = new ListParser()
    for (let fed = 0; fed < LISTING_LIMIT; fed += 50_000) parser.feed(chunk)
    expect(() => parser.feed(latin1('1\n'))).toThrow(
      expect.objectContaining({ code: 'ERR_POP3_PROTOCOL', message: expect.stringContaining('5000000 messages') }),
    )
  })

  it('whose line never ends is refused as well, and takes no memory until then (P104)', () => {
    const chunk = Buffer.alloc(1024 * 1024, 'x')
    const parser = new ListParser()
    const before = memoryBytes()
    for (let fed = 0; fed < LISTING_BYTES_LIMIT; fed += chunk.length) parser.feed(chunk)
    expect(memoryBytes() - before).toBeLessThan(20e6)
    expect(() => parser.feed(chunk)).toThrow(expect.objectContaining({ code: 'ERR_POP3_PROTOCOL' }))
  })
})

function memoryBytes(): number {
  const { heapUsed, arrayBuffers } = process.memoryUsage()
  return heapUsed + arrayBuffers
}

it('an answer that is shown and not parsed ends where a listing does', async () => {
  let bytes = 0
  const sink = withinListing({ write: (chunk) => void (bytes += chunk.length) }, 10)
  await sink.write(Buffer.alloc(6))
  await sink.write(Buffer.alloc(4))
  expect(() => sink.write(Buffer.alloc(1))).toThrow(/10 bytes/)
  expect(bytes).toBe(10)
})

describe('what is asked of a whole listing', () => {
  const listingOf = (uidls: string | null): Listing =>
    Listing.ofFew(parsed(latin1('1 10\r\n2 20\r\n3 30\r\n')), uidls === null ? null : parsed(latin1(uidls)))

  it.each([
    ['each has one of its own', '1 a\r\n2 b\r\n3 c\r\n', true],
    ['two share one', '1 a\r\n2 b\r\n3 a\r\n', false],
    ['one is empty', '1 a\r\n2\r\n3 c\r\n', false],
    ['one is missing', '1 a\r\n3 c\r\n', false],
    ['the server has none', null, false],
  ])('are its UIDLs distinct? %s', (_what, uidls, expected) => {
    expect(listingOf(uidls).areDistinct).toBe(expected)
  })

  it.each([1, 4, 7, 8, 100])('is told as texts of %i bytes, each with at least one UIDL whole', (mostBytes) => {
    const listing = listingOf('1 a\r\n2 long-one\r\n3 c\r\n')
    const texts: string[] = []
    for (let from = 0; from < listing.length;) {
      const { text, to } = listing.textFrom(from, mostBytes)
      expect(text.length <= mostBytes || to === from + 1).toBe(true)
      texts.push(text)
      from = to
    }
    expect(texts.join('')).toBe('a long-one c ')
  })
})

describe('which entries share a UIDL, and which has a given one, is told', () => {
  const uidl = fc.string({ unit: fc.constantFrom('a', 'b', '\xff', '0', '9'), maxLength: 4 })
  const byLength = (a: string, b: string): number => a.length - b.length || Buffer.compare(latin1(a), latin1(b))
  const orders: readonly [string, (uidls: string[]) => string[]][] = [
    ['in any order', (uidls) => uidls],
    ['in ascending order, some of them twice', (uidls) => uidls.toSorted(byLength)],
    ['in ascending order, each once', (uidls) => [...new Set(uidls)].toSorted(byLength)],
    ['in ascending order but for the last', (uidls) => [...uidls.slice(1).toSorted(byLength), ...uidls.slice(0, 1)]],
  ]

  it.each(orders)('where they stand %s', (_what, ordered) => {
    fc.assert(
      fc.property(fc.array(uidl, { maxLength: 40 }), fc.array(uidl, { maxLength: 20 }), (some, asked) => {
        const uidls = ordered(some)
        const lines = uidls.map((each, at) => `${at + 1} ${each}\r\n`).join('')
        const listing = Listing.ofFew(parsed(latin1('')), parsed(latin1(lines)))
        const copies = uidls.map((each, at) =>
          each === '' ? 0 : uidls.slice(0, at).filter((one) => one === each).length,
        )
        expect(listing.slice(0, listing.length).map(({ copy }) => copy)).toEqual(copies)
        for (const each of [...asked, ...uidls, ...uidls.toReversed()])
          expect(listing.find(latin1(each))).toBe(each === '' ? -1 : uidls.indexOf(each))
        expect(listing.areDistinct).toBe(new Set(uidls).size === uidls.length && !uidls.includes(''))
      }),
    )
  })
})
