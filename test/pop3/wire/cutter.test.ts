// What the cutter cuts is what the decoder decodes, and all else it calls odd.
import { describe, expect, test } from 'vitest'
import { Cutter } from '../../../src/pop3/wire/cutter.ts'

const MEMORY_BYTES = 4096

/** Feeds the pieces; what was cut, and whether all was plain. */
function cut(pieces: readonly string[], sizes: readonly number[], asked = sizes.length, most = 64) {
  const cutter = new Cutter(Buffer.alloc(MEMORY_BYTES, '\r\n.\r\n'))
  const messages: string[] = []
  let plain = true
  for (const piece of pieces) {
    plain &&= cutter.append(Buffer.from(piece, 'latin1'))
    for (let more = true; plain && more;) {
      plain = cutter.cut(sizes, messages.length, asked, most)
      more = cutter.starts.length > 0
      for (const [at, start] of cutter.starts.entries())
        messages.push(cutter.memory.toString('latin1', start, cutter.ends[at]))
      cutter.clear()
    }
  }
  return { messages, plain, rest: cutter.rest().toString('latin1') }
}

const first = 'From: a\r\n\r\none\r\n'
const dotted = '.\r\n..two\r\n.\r\n'
const stuffed = '..\r\n...two\r\n..\r\n'
const both = `+OK\r\n${first}.\r\n+OK 13 octets\r\n${stuffed}.\r\n`
const sizes = [first.length, dotted.length]

describe('whole answers', () => {
  test.each(Array.from(both, (_, at) => at))('are cut with their dots undone, in two pieces: after byte %i', (at) => {
    const pieces = at === 0 ? [both] : [both.slice(0, at), both.slice(at)]
    expect(cut(pieces, sizes)).toEqual({ messages: [first, dotted], plain: true, rest: '' })
  })

  test('are cut when they come byte by byte', () => {
    expect(cut(Array.from(both), sizes).messages).toEqual([first, dotted])
  })

  test.each(['.\rx\r\n', '.\r\r\n', '.\r.\r\n', '.\rx', '.x\r\n'])(
    'do not end at a dot that only looks like an end: %j',
    (line) => {
      const wire = `+OK\r\na\r\n${line}\r\n.\r\n`
      // Its dot goes, as RFC 1939 §3 has it.
      const message = `a\r\n${line.slice(1)}\r\n`
      for (const size of [message.length, 3]) {
        const whole = { messages: [message], plain: true, rest: '' }
        const odd = { messages: [], plain: false, rest: wire }
        expect(cut([wire], [size])).toEqual(size === message.length ? whole : odd)
        expect(cut(Array.from(wire), [size]).messages).toEqual(size === message.length ? [message] : [])
      }
    },
  )

  test('wait for their end, and what has come of them is kept as it came', () => {
    for (let at = both.length - 1; at > both.lastIndexOf('+OK'); at--) {
      const { messages, plain, rest } = cut([both.slice(0, at)], sizes)
      expect({ messages, plain }).toEqual({ messages: [first], plain: true })
      expect(rest).toBe(both.slice(both.lastIndexOf('+OK'), at))
    }
  })

  test('no more of them than there is room for at once; the others stay', () => {
    const cutter = new Cutter(Buffer.alloc(MEMORY_BYTES))
    cutter.append(Buffer.from(both))
    expect(cutter.cut(sizes, 0, 2, 1)).toBe(true)
    expect(cutter.starts.length).toBe(1)
    expect(cutter.rest().toString()).toBe(both.slice(both.lastIndexOf('+OK')))
  })

  test.each(Array.from(both, (_, at) => at))('go on in other memory: moved after byte %i', (at) => {
    const cutter = new Cutter(Buffer.alloc(MEMORY_BYTES))
    const messages: string[] = []
    const take = (): void => {
      expect(cutter.cut(sizes, messages.length, 2, 64)).toBe(true)
      for (const [row, start] of cutter.starts.entries())
        messages.push(cutter.memory.toString('latin1', start, cutter.ends[row]))
      cutter.clear()
    }
    cutter.append(Buffer.from(both.slice(0, at)))
    take()
    cutter.moveTo(Buffer.alloc(MEMORY_BYTES))
    cutter.append(Buffer.from(both.slice(at)))
    take()
    expect(messages).toEqual([first, dotted])
  })
})

describe('odd, and left as it came, is', () => {
  const odd = [
    ['a refusal', '-ERR no such message\r\n'],
    ['a status in another spelling', `+ok\r\n${first}.\r\n`],
    ['a status that only begins like one', `+OKAY\r\n${first}.\r\n`],
    ['a line that ends in LF alone', `+OK\n${first}.\r\n`],
    ['a status line that is very long', `+OK ${'x'.repeat(600)}\r\n${first}.\r\n`],
    ['a status line without an end', `+OK ${'x'.repeat(600)}`],
    ['a body that is shorter than announced', `+OK\r\n${first.slice(0, -3)}\r\n.\r\n`],
    ['a body that is longer than announced', `+OK\r\n${first}more\r\n.\r\n`],
    ['a line that says more and ends in LF alone', `+OK 13 octets\n${first}.\r\n`],
    ['a body that is longer by as much as its end would take', `+OK\r\n${first}mor`],
    ['a longer body before its end has come', `+OK\r\n${first}more`],
    ['an empty body', '+OK\r\n.\r\n'],
  ] as const
  test.each(odd)('%s', (_, bytes) => {
    expect(cut([`+OK\r\n${first}.\r\n`, bytes], [first.length, first.length])).toEqual({
      messages: [first],
      plain: false,
      rest: bytes,
    })
  })

  test('what comes though nothing more was asked for', () => {
    const { messages, plain, rest } = cut([`${both}+OK more`], sizes)
    expect({ messages, plain, rest }).toEqual({ messages: [first, dotted], plain: false, rest: '+OK more' })
    expect(cut([both], sizes, 1).plain).toBe(false)
  })

  test('more than the memory holds: nothing of it is taken', () => {
    const cutter = new Cutter(Buffer.alloc(10))
    expect(cutter.append(Buffer.from('+OK 12345'))).toBe(true)
    expect(cutter.append(Buffer.from('67'))).toBe(false)
    expect(cutter.rest().toString()).toBe('+OK 12345')
  })
})
