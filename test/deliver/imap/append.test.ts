// APPEND as bytes, and its answers.
import { describe, expect, test } from 'vitest'
import { answerIn, appendCommand, modifiedUtf7, uidsIn } from '../../../src/deliver/imap/append.ts'

const memory = Buffer.alloc(64 * 1024)
const how = { folder: 'INBOX', flags: [], binary: true }
const dated = (text: string, date: Date | null = null) => {
  const [top, rest] = [text.slice(0, 1), text.slice(1)].map((part) => Buffer.from(part, 'latin1'))
  return { content: { parts: [top!, rest!], bytes: text.length }, date }
}
const command = (text: string, { date = null, ...keys }: { date?: Date | null; [key: string]: unknown } = {}): string =>
  Buffer.concat([...appendCommand('t1', [dated(text, date)], { ...how, ...keys }, memory)]).toString('latin1')

describe('the command', () => {
  test('has its message as a literal that waits for nothing', () => {
    expect(command('A: b\r\n\r\nx')).toBe('t1 APPEND "INBOX" {9+}\r\nA: b\r\n\r\nx\r\n')
  })

  test('has flags and a date in UTC', () => {
    const date = new Date(Date.UTC(2026, 1, 3, 4, 5, 6))
    expect(command('x', { flags: ['\\Seen', '$Old'], date })).toBe(
      't1 APPEND "INBOX" (\\Seen $Old) "03-Feb-2026 04:05:06 +0000" {1+}\r\nx\r\n',
    )
  })

  test('marks a message with NUL where the server wants that', () => {
    expect(command('\0')).toBe('t1 APPEND "INBOX" ~{1+}\r\n\0\r\n')
    expect(command('\0', { binary: false })).toBe('t1 APPEND "INBOX" {1+}\r\n\0\r\n')
  })

  test.each([
    ['a "quoted" \\name', '"a \\"quoted\\" \\\\name"'],
    ['Entwürfe', '"Entw&APw-rfe"'],
    ['A & B', '"A &- B"'],
    ['台北/日本語', '"&U,BTFw-/&ZeVnLIqe-"'],
    ['😀', '"&2D3eAA-"'],
    ['tab\there', '"tab&AAk-here"'],
  ])('a folder called %s cannot end the command', (folder, written) => {
    expect(command('x', { folder })).toBe(`t1 APPEND ${written} {1+}\r\nx\r\n`)
  })

  test('a large message is not copied', () => {
    const part = Buffer.alloc(1_000_000)
    const content = { parts: [Buffer.from('A: b\r\n'), part], bytes: part.length + 6 }
    expect(appendCommand('t1', [{ content, date: null }], how, memory)[2]).toBe(part)
  })

  test('takes several messages, each with its flags and its date (RFC 3502)', () => {
    const date = new Date(Date.UTC(2026, 1, 3, 4, 5, 6))
    const several = appendCommand('t1', [dated('one', date), dated('t\0', null)], { ...how, flags: ['\\Seen'] }, memory)
    expect(several).toHaveLength(1)
    expect(Buffer.concat([...several]).toString('latin1')).toBe(
      't1 APPEND "INBOX" (\\Seen) "03-Feb-2026 04:05:06 +0000" {3+}\r\none (\\Seen) ~{2+}\r\nt\0\r\n',
    )
  })
})

test('names beyond ASCII are never line ends', () => {
  expect(modifiedUtf7('a\r\nb')).toBe('a&AA0ACg-b')
})

describe('the answer', () => {
  test.each([
    ['OK [APPENDUID 7 42] done', { status: 'OK', code: 'APPENDUID', values: '7 42', text: 'done' }, 42],
    ['OK done', { status: 'OK', code: '', values: '', text: 'done' }, null],
    ['ok', { status: 'OK', code: '', values: '', text: '' }, null],
    ['NO [OVERQUOTA] full', { status: 'NO', code: 'OVERQUOTA', values: '', text: 'full' }, null],
    ['no [trycreate] [sic] no', { status: 'NO', code: 'TRYCREATE', values: '', text: '[sic] no' }, null],
    ['BAD what', { status: 'BAD', code: '', values: '', text: 'what' }, null],
    ['NO [unfinished', { status: 'NO', code: '', values: '', text: '[unfinished' }, null],
  ])('%s', (line, answer, uid) => {
    const found = answerIn(line)
    expect(found).toEqual(answer)
    expect(found === null ? null : uidsIn(found, 1)[0]).toBe(uid)
  })

  test.each(['0', '4294967296', '99999999999999999999', '-1', '1e5', '1:3', '1,2', ''])(
    'APPENDUID %s is no UID, and the message is taken anyway',
    (uid) => {
      const found = answerIn(`OK [APPENDUID 7 ${uid}] done`)
      expect(found?.status).toBe('OK')
      expect(found === null ? [] : uidsIn(found, 1)).toEqual([null])
    },
  )

  test.each([
    ['3:5', [3, 4, 5]],
    ['5:3', [3, 4, 5]],
    ['3,7,9', [3, 7, 9]],
    ['3:4,9', [3, 4, 9]],
    // Not as many as there are messages: nobody knows whose they are.
    ['3:6', [null, null, null]],
    ['3', [null, null, null]],
    ['1:4294967295', [null, null, null]],
    ['3,7,9,', [null, null, null]],
    ['3,,9', [null, null, null]],
  ])('APPENDUID %s of three messages names them in their order', (set, uids) => {
    const found = answerIn(`OK [APPENDUID 7 ${set}] done`)
    expect(found === null ? [] : uidsIn(found, 3)).toEqual(uids)
  })

  test.each(['', 'PREAUTH x', '* OK', 'OKAY', 'BYE'])('%j is none', (line) => {
    expect(answerIn(line)).toBeNull()
  })
})
