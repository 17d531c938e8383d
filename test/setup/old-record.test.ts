// The records of old tools, written as they write them, are read by what reads theirs.
import { expect, test } from 'vitest'
import { importFetchmail } from '../../src/setup/fetchmail/fetchmail.ts'
import { importGetmail } from '../../src/setup/getmail/getmail.ts'
import { importMpop } from '../../src/setup/mpop/mpop.ts'
import { isWritable, oldRecord } from '../../src/setup/old-record.ts'
import { CONTEXT, seenIn } from './scene.ts'

const mailbox = { hosts: ['isp', 'pop.example.net', 'isp'], user: 'al@ice' }
const entries = ['u2', '#1', 'a/b', '<x@y>'].map((uidl) => ({ uidl, firstSeenMs: 1_600_000_000_500 }))

test('fetchmail: a line for each name that the server may have', () => {
  const text = oldRecord('fetchmail', mailbox, entries.slice(0, 2))
  expect(text).toBe('al@ice@isp u2\nal@ice@isp #1\nal@ice@pop.example.net u2\nal@ice@pop.example.net #1\n')
  const rc = 'poll isp via pop.example.net proto pop3 user "al@ice" pass p ssl'
  const { seen } = importFetchmail(rc, { ...CONTEXT, idfile: '' }).accounts[0] ?? {}
  expect(new Set(seenIn(seen, oldRecord('fetchmail', mailbox, entries)))).toEqual(new Set(['u2', '#1', 'a/b', '<x@y>']))
})

test('getmail: with the time, and its own spelling', () => {
  const text = oldRecord('getmail', mailbox, entries)
  expect(text).toBe('u2\u00001600000000\n#1\u00001600000000\na-b\u00001600000000\n<x@y>\u00001600000000\n')
  const rc =
    '[retriever]\ntype=SimplePOP3SSLRetriever\nserver=pop.example.net\nusername=al@ice\npassword=p\n[destination]\ntype=Maildir\npath=~/Mail/\n'
  const { seen } = importGetmail(rc, { ...CONTEXT, name: 'getmailrc', directory: '/d' }).accounts[0] ?? {}
  expect(seenIn(seen, text)).toEqual(['u2', '#1', 'a-b', '<x@y>'])
})

test('mpop: sorted under a heading with their number, without the times that older ones would misread', () => {
  const text = oldRecord('mpop', { ...mailbox, hosts: ['pop.example.net'] }, [...entries, ...entries])
  expect(text).toBe(' 4 pop.example.net al@ice\n#1\n<x@y>\na/b\nu2\n')
  const rc = 'account a\nhost pop.example.net\nuser al@ice\npassword p\ntls on\ndelivery maildir ~/Mail\n'
  expect(seenIn(importMpop(rc, CONTEXT).accounts[0]?.seen, text)).toEqual(['#1', '<x@y>', 'a/b', 'u2'])
})

test.each(['fetchmail', 'getmail', 'mpop'] as const)(
  '%s: nothing at all for a mailbox of which nothing is known',
  (tool) => {
    expect(oldRecord(tool, mailbox, [])).toBe('')
  },
)

test('what no record can hold is left out: blanks, controls, what is no UIDL of the server, what is too long', () => {
  const writable = (uidl: string): boolean => isWritable({ uidl, firstSeenMs: 0 })
  for (const uidl of ['', 'a b', 'a\tb', 'a\0b', '\0top:ab', 'ä', 'x'.repeat(1025)]) expect(writable(uidl)).toBe(false)
  expect(writable('!#$~')).toBe(true)
})
