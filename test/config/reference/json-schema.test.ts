// The JSON Schema beside the checks that popfetch makes itself: what one takes and refuses, the other does, too.
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Ajv2020 } from 'ajv/dist/2020.js'
import { expect, test } from 'vitest'
import { assemble } from '../../../src/config/assemble.ts'
import { parseText } from '../../../src/config/document.ts'
import { EDITOR_LINE, jsonSchema, SCHEMA_ID } from '../../../src/config/reference/json-schema.ts'
import { draft } from '../../../src/setup/draft.ts'

const ROOT = join(import.meta.dirname, '../../..')
const schema = JSON.parse(JSON.stringify(jsonSchema()))
// A list of words begins with the program: a tuple that may go on.
const inEditor = new Ajv2020({ strict: true, strictTuples: false }).compile(schema)

const VARIABLE = { $ref: '#/$defs/variable' }
const PIN = 'AB'.repeat(32)
const ACCOUNT = 'host: pop.example.net, user: alice, password: { env: PW }, deliver: "maildir:/mail"'
const account = (keys: string): string => `accounts: { a: { ${keys} } }`
const withKeys = (keys: string): string => account(`${ACCOUNT}, ${keys}`)
const destination = (keys: string): string => `${account(ACCOUNT)}\ndestinations: { d: { ${keys} } }`
const top = (keys: string): string => `${account(ACCOUNT)}\n${keys}`

/** What popfetch itself says of a file, and what an editor says. */
function judged(text: string): readonly [popfetch: string, editor: string] {
  const { root, readable } = parseText(text)
  if (!readable) throw new Error(`no YAML: ${text}`)
  const isRight = assemble(root, (path) => `/etc/${path}`).problems.length === 0
  return [isRight ? 'right' : 'wrong', inEditor(root) ? 'right' : 'wrong']
}

const examples = readdirSync(join(ROOT, 'examples')).filter((name) => name.endsWith('.yaml'))

test.each(examples)('an editor finds examples/%s right, as popfetch does', (name) => {
  expect(judged(readFileSync(join(ROOT, 'examples', name), 'utf8'))).toEqual(['right', 'right'])
})

test.each([
  'delete: 30d',
  'delete: never',
  'first: last:50',
  'first: since:2026-11-01',
  'limit: 10',
  'maxSize: 50MB',
  'poll: 90s',
  'poll: { min: 1m, max: 30m }',
  `pin: ${PIN}`,
  `pin: [${PIN}, ${PIN}]`,
  'tls: starttls, port: 2110',
  'auth: apop',
  'proxy: "socks5://localhost:1080"',
  'via: [ssh, gate, -W, "h:110"]',
  'recipient: anna@example.org',
  'enabled: false',
  'formerly: old',
  'formerly: [old, older]',
  'recipient: { header: X-Original-To, domains: [example.org], otherwise: a@example.org }',
  'deliver: { type: mbox, path: /m }',
  'deliver: [{ first-of: ["maildir:/m", "mbox:/n"] }, "mbox:/o"]',
  'route: [{ when: { from: "*@shop.example", size: ">5MB" }, deliver: "maildir:/b" }]',
])('an account with %s is right for both', (keys) => {
  expect(judged(withKeys(keys).replace('deliver: "maildir:/mail", deliver', 'deliver'))).toEqual(['right', 'right'])
})

test.each([
  'type: maildir, path: /m, mode: "0640"',
  'type: smtp, host: h, user: u, password: secret, to: [a@b.example], rate: [30/m, 500/d]',
  'type: lmtp, socket: /run/lmtp, to: alice',
  'type: imap, host: h, user: u, token: { command: [t] }, folder: \\Junk, flags: [\\Seen]',
  'type: gmail, user: a@gmail.com, token: { env: T }, labels: [INBOX, Old]',
  'type: command, run: [/bin/cat]',
])('a destination of %s is right for both', (keys) => {
  expect(judged(destination(keys))).toEqual(['right', 'right'])
})

test.each([
  'state: s.db',
  'include: accounts.d/*.yaml',
  'include: [a.yaml, b/*]',
  'accountsFrom: { command: [psql, -c, x] }',
  'accountsFrom: { command: [psql], every: 1h, keep: false }',
  'x-mine: { any: 1 }',
  'defaults: { poll: 10m }',
  'perHost: 2',
  'log: { file: l, level: warn }',
  'daemon: { http: "127.0.0.1:9464", onProblem: [/bin/logger], alertAfter: 1d }',
  'oauth: { google: { provider: google, clientId: abc } }',
])('%s at the top is right for both', (keys) => {
  expect(judged(top(keys))).toEqual(['right', 'right'])
})

test.each([
  'port: 0',
  'port: 65536',
  'port: 995.5',
  'port: "995"',
  'tls: false',
  'tls: startls',
  'pin: abcd',
  'pin: []',
  `pin: [${PIN}, abcd]`,
  'hosst: h',
  'delete: 30',
  'delete: yes',
  'first: last:0',
  'first: last',
  'limit: 0',
  'limit: 1.5',
  'maxSize: 50',
  'maxSize: 50 MB',
  'timeout: 60',
  'pipelining: on',
  'auth: ntlm',
  'ca: null',
  'ca: 1',
  'route: [{ deliver: x }]',
  'poll: 5',
  'poll: { min: 1m }',
  'via: []',
  'recipient: { header: X }',
  'limit: many',
  'enabled: 1',
  'formerly: { old: 1 }',
  'before: true',
])('an account with %s is wrong for both', (keys) => {
  expect(judged(withKeys(keys))).toEqual(['wrong', 'wrong'])
})

test.each([
  'type: maildr, path: /m',
  'path: /m',
  'type: maildir',
  'type: maildir, path: /m, mode: 600',
  'type: mbox, pth: /m',
  'type: smtp, host: h',
  'type: command, run: cat',
  'type: imap, host: h, user: u, password: p, flags: Seen',
  'type: smtp, host: h, to: a@b.example, concurrency: 0',
  'type: gmail, user: u, token: t, spam: perhaps',
])('a destination of %s is wrong for both', (keys) => {
  expect(judged(destination(keys))).toEqual(['wrong', 'wrong'])
})

test.each([
  'include: { a: b }',
  'accountsFrom: psql',
  'accountsFrom: { every: 5m }',
  'sate: s.db',
  'concurrency: 0',
  'perHost: all',
  'log: { level: loud }',
  'daemon: { alertAfter: 6 }',
])('%s at the top is wrong for both', (keys) => {
  expect(judged(top(keys))).toEqual(['wrong', 'wrong'])
})

test('which keys go together, and which names there are, only popfetch knows', () => {
  for (const keys of ['ca: ca.pem, tls: none', 'clientCert: c.pem', 'token: t', 'port: 110, proxy: "socks5://x"'])
    expect([keys, ...judged(withKeys(keys))]).toEqual([keys, 'wrong', 'right'])
  expect(judged(account(ACCOUNT.replace('"maildir:/mail"', 'nowhere')))).toEqual(['wrong', 'right'])
})

test('it knows the keys, requires nothing that defaults may give, and leaves x- keys to the user', () => {
  expect(schema.$id).toBe(SCHEMA_ID)
  expect(Object.keys(schema.properties)).toContain('defaults')
  expect(schema.patternProperties).toEqual({ '^x-': true })
  const { account: one } = schema.$defs
  expect(one.required).toBeUndefined()
  expect(one.additionalProperties).toBe(false)
  expect(one.properties.timeout).toMatchObject({ anyOf: [{ type: 'string' }, VARIABLE], default: '60s' })
  expect(one.properties.delete).toMatchObject({ default: 'never' })
  expect(one.properties.tls.anyOf).toEqual([{ type: 'string', enum: ['implicit', 'starttls', 'none'] }, VARIABLE])
})

test('it says of every key what it is', () => {
  const { account: one, destination: kinds } = schema.$defs
  const mappings = [schema, one, ...kinds.oneOf, schema.properties.log, schema.properties.daemon]
  const silent = mappings.flatMap(({ properties }) =>
    Object.entries<{ description?: string }>(properties).filter(
      ([key, { description }]) => key !== 'type' && !description,
    ),
  )
  expect(silent).toEqual([])
})

test('a destination and an account are written once: the schema has under 88 kB', () => {
  expect(JSON.stringify(schema, null, 2).length).toBeLessThan(88_000)
})

test('a new configuration names the schema in its first line', () => {
  const { text } = draft(
    { accounts: [], settings: {}, remarks: [] },
    { heading: ['Hello.'], settings: {}, secrets: 'written' },
  )
  expect(text.split('\n', 2)).toEqual([EDITOR_LINE, '# Hello.'])
})
