// What header.ts sees in well-formed, odd and hostile headers.
import { createHash } from 'node:crypto'
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { field, fields, fingerprint, headerFacts, receivedDateMs, splitHeader, stateBytes } from '../src/header.ts'
import { parseDateMs } from '../src/header/date.ts'

const bytes = (text: string): Buffer => Buffer.from(text, 'latin1')
const headerOf = (text: string): string => splitHeader(bytes(text)).toString('latin1')

describe('splitHeader', () => {
  test.each([
    ['ends before the empty line', 'A: 1\r\nB: 2\r\n\r\nbody\r\n\r\nmore', 'A: 1\r\nB: 2\r\n'],
    ['takes a message without an empty line whole', 'A: 1\r\nB: 2\r\n', 'A: 1\r\nB: 2\r\n'],
    ['is empty for a message that begins with an empty line', '\r\nbody', ''],
    ['is empty for an empty message', '', ''],
    ['ends at an empty line of a lone LF, as in the file of a Maildir', 'A: 1\n\nB: 2\r\n\r\nbody', 'A: 1\n'],
    ['ends where line ends are mixed', 'A: 1\n\r\nbody', 'A: 1\n'],
    ['does not end at a bare CR', 'A: 1\r\rB: 2\r\n\r\n', 'A: 1\r\rB: 2\r\n'],
    ['keeps a first line that is no field', 'From a@b Tue\r\nA: 1\r\n\r\nbody', 'From a@b Tue\r\nA: 1\r\n'],
  ])('%s', (_, message, header) => {
    expect(headerOf(message)).toBe(header)
  })

  test('is cut after the last whole line of the first 64 KiB', () => {
    const line = `X: ${'a'.repeat(95)}\r\n`
    const header = splitHeader(bytes(line.repeat(1000)))
    expect(header.length).toBe(Math.floor(65_536 / line.length) * line.length)
  })

  test('takes 64 KiB of a line that never ends', () => {
    expect(splitHeader(Buffer.alloc(100_000, 'a')).length).toBe(65_536)
  })
})

describe('field', () => {
  const header = bytes(
    'Subject: one\r\nsubject : two\r\nMessage-ID:\r\n <a@b>\t \r\nTo: a,\r\n\tb,\r\n  c\r\nEmpty:\r\nX-Fold: a\n b\r\n',
  )

  test.each([
    ['SUBJECT', 'one'],
    ['message-id', '<a@b>'],
    ['To', 'a,\tb,  c'],
    ['Empty', ''],
    ['X-Fold', 'a b'],
    ['Absent', null],
  ])('%s is %j: the first one, unfolded, without white space around it', (name, value) => {
    expect(field(header, name)).toBe(value)
  })

  test('gives bytes above ASCII as latin1', () => {
    expect(field(bytes('Subject: \xe4\xff\r\n'), 'subject')).toBe('\xe4\xff')
  })

  test('does not take an mbox line, a continuation or text with a colon for a field', () => {
    const odd = bytes(' Subject: folded\r\nFrom a@b Tue 12:00\r\nnot a field: x\r\nSubject: real\r\n')
    expect(field(odd, 'subject')).toBe('real')
    expect(field(odd, 'from')).toBeNull()
  })

  test('fields gives every occurrence, unfolded, from the top', () => {
    const header = bytes('Received: a\r\nX: y\r\nRECEIVED: b\r\n c\r\nreceived:c\r\n')
    expect(fields(header, 'Received')).toEqual(['a', 'b c', 'c'])
  })
})

describe('stateBytes (P128)', () => {
  test.each([
    ['counts what a server wrote down, line ends and folds included', 'Status: RO\r\nA: 1\r\nX-UIDL: a\r\n b\r\n', 27],
    ['is 0 without such a field', 'Subject: Status: RO\r\n', 0],
    ['is no more than such notes have, whoever wrote them', `X-Keywords: ${'k'.repeat(9000)}\r\n`, 512],
  ])('%s', (_, header, count) => {
    expect(stateBytes(bytes(header))).toBe(count)
  })
})

describe('fingerprint', () => {
  const stable = 'From: a@b\r\nTo: c@d,\r\n e@f\r\nSubject: hello\r\nDate: today\r\nMessage-ID: <1@b>\r\n'
  const print = (text: string): string => fingerprint(bytes(text)).toString('hex')

  test('has 16 bytes', () => {
    expect(fingerprint(bytes(stable))).toHaveLength(16)
  })

  test('of a known header is what ledgers hold', () => {
    const header =
      'From: a@example.org\r\nTo: b@example.org\r\nSubject: message 12\r\nMessage-ID: <m12@example.org>\r\n' +
      'Date: Tue, 24 Nov 2026 10:00:00 +0000\r\n'
    expect(print(header)).toBe('e2fd9ec8d443237ac179786f53e98198')
    expect(print('From: a \t b\r\nSubject: \r\n one\r\n\ttwo  \r\n')).toBe('85eec9b8f2960d292c9b8a07d1c574aa')
  })

  test.each([
    ['fields that servers add', `Received: x\r\nX-UIDL: 7\r\nStatus: RO\r\n${stable}X-Status: A\r\n`],
    ['folding and white space', stable.replace(',\r\n e', ', e').replace('Subject: hello', 'Subject:\t hello  ')],
    ['the case of names', stable.replace('From', 'FROM').replace('Message-ID', 'Message-Id')],
    ['line ends', stable.replaceAll('\r\n', '\n')],
  ])('does not depend on %s', (_, other) => {
    expect(print(other)).toBe(print(stable))
  })

  test.each(['From: a@b', 'Subject: hello', '<1@b>', 'today', 'e@f'])('depends on %s', (part) => {
    expect(print(stable.replace(part, `${part}x`))).not.toBe(print(stable))
  })

  test('takes all other fields, without the volatile ones, when there is none of the six', () => {
    expect(print('X-A: 1\r\nReceived: a\r\n')).toBe(print('Received: b\r\nX-A:  1\r\nStatus: O\r\n'))
    expect(print('X-A: 1\r\n')).not.toBe(print('X-A: 2\r\n'))
    expect(print('no field at all\r\n')).not.toBe(print('nor this\r\n'))
  })

  test('is the same for the answer to TOP and to RETR, whatever the message', () => {
    const line = fc.constantFrom('From: a', 'Subject:', ' folded', 'X', '\r', '\0', '\xff: \xfe', 'Status: x', 'To : b')
    fc.assert(
      fc.property(fc.array(line, { minLength: 1 }), fc.string({ unit: 'binary' }), (lines, body) => {
        const header = `${lines.join('\r\n')}\r\n`
        const top = splitHeader(bytes(`${header}\r\n`))
        const retrieved = splitHeader(Buffer.concat([bytes(`${header}\r\n`), Buffer.from(body)]))
        expect(fingerprint(retrieved)).toEqual(fingerprint(top))
      }),
    )
  })
})

describe('dates', () => {
  const utc = Date.UTC(2026, 10, 24, 13, 10, 22)

  test.each([
    ['Tue, 24 Nov 2026 13:10:22 +0000', utc],
    [' Tue, 24 Nov 2026 13:10:22 +0000 (UTC) ', utc],
    ['24 Nov 2026 15:40:22 +0230', utc],
    ['Tue, 24 nov 2026 05:10:22 -0800', utc],
    ['Tue, 24 Nov 2026 05:10:22 PST', utc],
    ['Tue, 24 Nov 26 13:10:22 GMT', utc],
    ['Tue, 4 Nov 2026 13:10:22 +0000', Date.UTC(2026, 10, 4, 13, 10, 22)],
    ['04 Nov 2026 13:10:22 -0130', Date.UTC(2026, 10, 4, 14, 40, 22)],
    ['Mon, 30 Nov 2026 13:10:22 +0000', Date.UTC(2026, 10, 30, 13, 10, 22)],
    ['24 Nov 96 13:10 Z', Date.UTC(1996, 10, 24, 13, 10)],
    ['Thu, 29 Feb 2024 00:00:60 +0000', Date.UTC(2024, 1, 29, 0, 1)],
  ])('reads %j', (text, ms) => {
    expect(parseDateMs(text)).toBe(ms)
  })

  test.each([
    '',
    'yesterday',
    '2026-11-24T13:10:22Z',
    'Tue, 31 Nov 2026 13:10:22 +0000',
    'Tue, 0 Nov 2026 13:10:22 +0000',
    'Tue, 24 Foo 2026 13:10:22 +0000',
    'Tue, 24 anF 2026 13:10:22 +0000',
    'T1e, 24 Nov 2026 13:10:22 +0000',
    'Tue, 24 Nov 2026 13.10:22 +0000',
    'Tue, 24 Nov 202a 13:10:22 +0000',
    'Tue, 24 Nov 2026 13:10:61 +0000',
    'Tue, 24 Nov 2026 24:10:22 +0000',
    'Tue, 24 Nov 2026 13:60:22 +0000',
    'Tue, 24 Nov 2026 13:10:22',
    'Tue, 24 Nov 2026 13:10:22 +0060',
    'Tue, 24 Nov 0099 13:10:22 +0000',
    'Tue, 24 Nov 20261 13:10:22 +0000',
    `${' '.repeat(100)}Tue, 24 Nov 2026 13:10:22 +0000`,
  ])('does not believe %j', (text) => {
    expect(parseDateMs(text)).toBeNull()
  })

  const written = fc.tuple(
    fc.constantFrom('Tue, ', 'tue, ', 'T1e, ', 'Tue,', ''),
    fc.constantFrom('1', '01', '28', '29', '31', '0'),
    fc.constantFrom('Feb', 'feb', 'Nov', 'anF'),
    fc.constantFrom('2026', '1899', '0099', '26'),
    fc.constantFrom('13:10:22', '24:00:00', '23:60:00', '23:59:60', '13:10', '13.10:22'),
    fc.constantFrom('+0000', '-0130', '+0060', 'GMT', '*0000'),
  )

  test('white space says nothing, whatever the date', () => {
    fc.assert(
      fc.property(written, ([name, ...others]) => {
        expect(parseDateMs(name + others.join(' '))).toBe(parseDateMs(` ${name}${others.join('\t ')} `))
      }),
      { numRuns: 2000 },
    )
  })

  test('the date of receipt is after the last semicolon of the topmost Received field', () => {
    const header = bytes(
      'Subject: x\r\nReceived: from a (b; c) by d;\r\n\tTue, 24 Nov 2026 13:10:22 +0000\r\nReceived: x; 1 Jan 2000 00:00 Z\r\n',
    )
    expect(receivedDateMs(header)).toBe(utc)
  })

  test('there is none without such a field, a semicolon or a date', () => {
    expect(receivedDateMs(bytes('Date: Tue, 24 Nov 2026 13:10:22 +0000\r\n'))).toBeNull()
    expect(receivedDateMs(bytes('Received: from a by b\r\n'))).toBeNull()
    expect(receivedDateMs(bytes('Received: from a by b; soon\r\n'))).toBeNull()
  })
})

/** What a fingerprint is made of, in so many words. */
function stableText(header: string): string {
  const six = new Set(['from', 'to', 'cc', 'subject', 'date', 'message-id'])
  return header
    .split(/(?<=\n)(?![ \t])/)
    .map((text) => /^([^:]*):([^]*)$/.exec(text) ?? [])
    .filter(([, name = '']) => six.has(name.replace(/[ \t]+$/, '').toLowerCase()))
    .map(([, name = '', value = '']) => `${name.trim().toLowerCase()}:${value.replaceAll(/[ \t\r\n]+/g, ' ').trim()}\n`)
    .join('')
}

describe('headerFacts', () => {
  const names = 'From|subject|DATE|Message-ID|message\rid|Received|To|from |X-From||f:rom|fro m|FROM\t'.split('|')
  const value = fc.stringMatching(/^[ \t]?(?:a|; 1 Jan 2026 10:00:00 \+0000|<a@b>|:|)[ \t]*$/)
  const line = fc.tuple(fc.constantFrom(...names), value, fc.constantFrom('\r\n', '\n', '\r\n ', '\r\n\t x\r\n'))

  test('says what each look by itself says, whatever the header', () => {
    fc.assert(
      fc.property(fc.array(line, { maxLength: 12 }), (lines) => {
        const header = bytes(lines.map(([name, text, end]) => `${name}:${text}${end}`).join(''))
        const { fingerprint: print, ...facts } = headerFacts(header)
        const stable = stableText(header.toString('latin1'))
        if (stable !== '') expect(print).toEqual(createHash('sha256').update(stable).digest().subarray(0, 16))
        expect(facts).toEqual({
          messageId: field(header, 'message-id'),
          from: field(header, 'from'),
          subject: field(header, 'subject'),
          date: field(header, 'date'),
          receivedMs: receivedDateMs(header),
        })
      }),
    )
  })
})

describe('hostile headers', () => {
  const everything = (header: Buffer): void => {
    fingerprint(splitHeader(header))
    field(header, 'subject')
    fields(header, 'received')
    receivedDateMs(header)
  }

  test('random bytes never throw', () => {
    fc.assert(fc.property(fc.uint8Array({ maxLength: 300 }), (random) => everything(Buffer.from(random))))
  })

  // Each of these costs minutes in code that is quadratic.
  test.each([
    ['blanks', `Subject: a${' '.repeat(200_000)}b`],
    ['folds', `Subject: a${'\r\n '.repeat(70_000)}`],
    ['lines without a colon', 'a\r\n'.repeat(70_000)],
    ['empty names', ':\r\n'.repeat(70_000)],
    ['blanks before a colon', `${' \t'.repeat(100_000)}:`],
    ['CRs', `Received: ;${'\r'.repeat(200_000)}`],
    ['semicolons', `Received: ${';'.repeat(200_000)}`],
    ['parentheses', `Received: ; 1 Jan 2000 00:00:00 +0000 ${'('.repeat(40)}`],
  ])('many %s take no time', (_, header) => {
    for (let round = 0; round < 20; round++) everything(bytes(header))
  })
})
