import { expect, test } from 'vitest'
import { headingOf, receivedFacts } from '../src/heading.ts'
import type { Message } from '../src/message.ts'
import { redactor } from '../src/redact.ts'

function subject(value: string): string | null {
  return headingOf(Buffer.from(`Subject: ${value}\r\n\r\n`, 'latin1')).subject
}

test('From, Subject and Date are what the header says, unfolded', () => {
  const header = 'From: Ann <ann@example.org>\r\nSubject: one\r\n two\r\nDate: Tue, 24 Nov 2026 10:00:00 +0000\r\n\r\n'
  const dateMs = Date.UTC(2026, 10, 24, 10)
  expect(headingOf(Buffer.from(header))).toEqual({ from: 'Ann <ann@example.org>', subject: 'one two', dateMs })
})

test('a header without them has none', () => {
  expect(headingOf(Buffer.from('To: a\r\nDate: tomorrow\r\n\r\n'))).toEqual({ from: null, subject: null, dateMs: null })
})

test.each([
  ['=?utf-8?B?TMO2d2U=?=', 'Löwe'],
  ['=?UTF-8?Q?L=C3=B6we_und?= =?iso-8859-1?q?_B=E4r?=', 'Löwe und Bär'],
  ['=?utf-8*de?q?a?= b =?us-ascii?q?c?=', 'a b c'],
  ['=?gb2312?B?xOO6ww==?=', '你好'],
  ['=?ISO-8859-1?Q?Gr=FC=df_=20?= 5', 'Grüß   5'],
  ['=?iso-8859-1?q?=80_=A0?=', '\u20ac \u00a0'],
  ['=?windows-1252?b?gMQ=?=', '\u20acÄ'],
  ['=?us-ascii?Q?a=3?= =?utf-8?Q?=_=3D=zz==41?=', 'a=3= ==zz=A'],
  ['=?utf-8?q?=EF=BB=BFa=FF?=', 'a\ufffd'],
  ['=?klingon?q?Qapla=27?=', '=?klingon?q?Qapla=27?='],
  ['=?utf-8?q?half', '=?utf-8?q?half'],
  ['L\u00c3\u00b6we', 'Löwe'],
  ['L\u00f6we', 'Löwe'],
])('%s reads %s', (raw, text) => {
  expect(subject(raw)).toBe(text)
})

test('no more than 200 characters are kept, whatever was sent', () => {
  expect(subject('x'.repeat(60_000))).toBe('x'.repeat(200))
  const smile = '\u{1f600}'
  expect(subject(Buffer.from(smile.repeat(900)).toString('latin1'))).toBe(smile.repeat(200))
  expect(subject('=?utf-8?q?a?= '.repeat(900))).toHaveLength(200)
  expect(subject(`=?${'?'.repeat(50_000)}`)).toHaveLength(200)
})

test('a secret that a server writes into a header is masked, whole and where the field is cut', () => {
  redactor.add('hunter2-Zebra-77', 'heading.test')
  const header = 'From: hunter2-Zebra-77 <a@b.c>\r\nSubject: =?utf-8?b?aHVudGVyMi1aZWJyYS03Nw==?=\r\n\r\n'
  expect(headingOf(Buffer.from(header))).toMatchObject({ from: '**** <a@b.c>', subject: '****' })
  expect(subject(`${'x'.repeat(190)} hunter2-Zebra-77`)).toBe(`${'x'.repeat(190)} ****`)
  expect(subject(`=?utf-8?q?a?=${' '.repeat(3977)} hunter2-Ze ${'x'.repeat(99)}`)).not.toContain('hunter2')
  const message = { sizeBytes: 1, messageId: '<hunter2-Zebra-77@example.org>' } as Message
  expect(receivedFacts(message).messageId).toBe('<****@example.org>')
  expect(receivedFacts({ ...message, messageId: `<${'x'.repeat(60_000)}` }).messageId).toHaveLength(998)
})
