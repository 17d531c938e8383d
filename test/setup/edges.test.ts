// The edges of what an old file may say. A value that popfetch cannot have becomes one that it can, or a doubt, after which
// nothing is deleted. A command that is none is refused, because it would take every message for delivered.
import { expect, test } from 'vitest'
import { assemble } from '../../src/config/assemble.ts'
import { parseText } from '../../src/config/document.ts'
import { draft } from '../../src/setup/draft.ts'
import { importFetchmail } from '../../src/setup/fetchmail/fetchmail.ts'
import { importGetmail } from '../../src/setup/getmail/getmail.ts'
import type { Imported } from '../../src/setup/imported.ts'
import { importMpop } from '../../src/setup/mpop/mpop.ts'
import { CONTEXT, written } from './scene.ts'

const fetchmail = (words: string, before = ''): Imported =>
  importFetchmail(`${before}poll a.example proto pop3 user u pass p ssl ${words}`, { ...CONTEXT, idfile: '' })
const getmail = (options: string): Imported =>
  importGetmail(
    `[retriever]\ntype = SimplePOP3SSLRetriever\nserver = a.example\nusername = u\npassword = p\n${options}`,
    { ...CONTEXT, name: 'getmailrc', directory: '/d' },
  )
const mpop = (lines: string): Imported =>
  importMpop(`account a\nhost a.example\nuser u\npassword p\ntls on\ndelivery maildir ~/Mail\n${lines}`, CONTEXT)

const MAILDIR = '[destination]\ntype = Maildir\npath = ~/Mail/\n[options]\n'

function keysOf(imported: Imported): Readonly<Record<string, unknown>> {
  return Object.values(written(imported).accounts)[0] ?? {}
}

test.each([
  ['fetchmail', fetchmail('mda ""')],
  ['fetchmail', fetchmail('mda "  "')],
  ['fetchmail', fetchmail('mda "# /usr/bin/procmail"')],
  ['mpop', mpop('delivery mda')],
  ['mpop', mpop('delivery mda ""')],
  ['getmail', getmail('[destination]\ntype = MDA_external\n')],
])('a command that is none is refused, and swallows no mail: %s (%#)', (_, imported) => {
  const { text } = draft(imported, { heading: [], settings: {}, secrets: 'written' })
  const { problems } = assemble(parseText(text).root, (path) => path)
  expect(problems.map(({ path }) => path.slice(2))).toEqual([['run', 0]])
})

test.each<[string, Imported, Readonly<Record<string, unknown>>]>([
  ['timeout 100000', fetchmail('timeout 100000'), { timeout: '86400s' }],
  ['timeout = 100000', getmail(`timeout = 100000\n${MAILDIR}`), { timeout: '86400s' }],
  ['timeout 99999', mpop('timeout 99999'), { timeout: '86400s' }],
])('what is longer than popfetch waits is as long as it does: %s', (_, imported, keys) => {
  expect(keysOf(imported)).toMatchObject(keys)
})

test.each([
  ['fetchlimit 99999999999', fetchmail('fetchlimit 99999999999')],
  ['max_messages_per_session = 99999999999', getmail(`${MAILDIR}max_messages_per_session = 99999999999\n`)],
])('a limit that is none is none: %s', (_, imported) => {
  expect(keysOf(imported)).not.toHaveProperty('limit')
})

test('an interval of years is twenty days', () => {
  expect(written(fetchmail('', 'set daemon 99999999\n')).root['defaults']).toEqual({ poll: '20d' })
})

test.each([
  ['delete_after = 36501', getmail(`${MAILDIR}delete_after = 36501\n`)],
  ['delete = (nothing)', getmail(`${MAILDIR}delete =\n`)],
  ['delete on a line of its own', getmail(`${MAILDIR}delete =\n  true\n`)],
  ['delete = true ; a comment that is none', getmail(`${MAILDIR}delete = true ; x\n`)],
  ['keep on # a comment that is none', mpop('keep on # x')],
  ['keep in capitals', mpop('Keep on')],
  ['keep 30 d', mpop('keep 30 d')],
  ['keep 30D', mpop('keep 30D')],
  ['an account that inherits from one that is not there', mpop('account b : a, nosuch')],
  ['KEEP', fetchmail('KEEP')],
  ['no-keep', fetchmail('no-keep')],
  ['keep"', fetchmail('keep"')],
])('what may mean anything deletes nothing, and is told: %s', (_, imported) => {
  for (const { keys, warnings } of imported.accounts) {
    expect(keys['delete']).toBe('never')
    expect(warnings.length).toBeGreaterThan(0)
  }
})

test('a getmailrc may be indented as a whole, and a heading, too', () => {
  const text =
    '  [retriever]\n    type = SimplePOP3SSLRetriever\n    server = a.example\n    username = u\n    password = p\n  [destination]\n    type = Maildir\n    path = ~/Mail/\n  [options]\n    delete = true\n'
  const imported = importGetmail(text, { ...CONTEXT, name: 'getmailrc', directory: '/d' })
  expect(imported.accounts[0]).toMatchObject({ host: 'a.example', user: 'u', keys: { delete: 'after-delivery' } })
})
