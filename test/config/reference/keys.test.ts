// The list of keys for people beside the schema and the checks that it is read from.
import { describe, expect, test } from 'vitest'
import { assemble } from '../../../src/config/assemble.ts'
import { jsonSchema } from '../../../src/config/reference/json-schema.ts'
import { reference, referenceOf, referenceWords } from '../../../src/config/reference/keys.ts'

const sections = reference()
const keys = sections.flatMap((section) => section.keys.map((key) => ({ ...key, kind: section.kind })))
const ACCOUNT = { host: 'h', user: 'u', password: { env: 'P' }, deliver: 'maildir:/m' }

/** What a destination needs at least. */
const LEAST: Readonly<Record<string, object>> = {
  maildir: { path: '/m' },
  mbox: { path: '/m' },
  command: { run: ['/bin/true'] },
  smtp: { host: 'h', to: 'a@b.example', user: 'u', password: { env: 'P' } },
  lmtp: { socket: '/s', to: 'a', user: 'u', password: { env: 'P' } },
  imap: { host: 'h', user: 'u', password: { env: 'P' } },
  gmail: { user: 'a@gmail.com', token: { env: 'T' } },
}

function assembled(root: object): string {
  const { configuration, problems } = assemble(root, (path) => path)
  return JSON.stringify(configuration === null ? problems : [...configuration.destinations, configuration])
}

/** A configuration with these keys where `path` has them, as YAML would give them. */
function withKey(path: string, kind: string | null, value: unknown): object {
  const [, , ...steps] = path.split('.')
  const inner = (names: readonly string[]): object =>
    names.reduceRight<unknown>((held, name) => ({ [name]: held }), value) as object
  if (kind !== null)
    return { accounts: { a: ACCOUNT }, destinations: { d: { type: kind, ...LEAST[kind], ...inner(steps) } } }
  if (path.startsWith('accounts.')) return { accounts: { a: { ...ACCOUNT, ...inner(steps) } } }
  if (path.startsWith('oauth.'))
    return { accounts: { a: ACCOUNT }, oauth: { c: { provider: 'google', clientId: 'i', ...inner(steps) } } }
  return { accounts: { a: ACCOUNT }, ...inner(path.split('.')) }
}

function plain(text: string): unknown {
  if (text.startsWith('[')) return text.slice(1, -1).split(', ')
  return /^(?:true|false|[1-9]\d*)$/.test(text) ? JSON.parse(text) : text
}

test('every key of the JSON Schema is in the list, and no other', () => {
  const { $defs, properties } = JSON.parse(JSON.stringify(jsonSchema()))
  const listed = (kind: string | null, before: string): string[] =>
    keys.filter((key) => key.kind === kind && key.path.startsWith(before)).map(({ path }) => path.slice(before.length))
  const isOwn = (path: string): boolean => !path.includes('.')
  expect(listed(null, '').filter(isOwn)).toEqual(Object.keys(properties))
  for (const name of ['daemon', 'log'])
    expect(listed(null, `${name}.`)).toEqual(Object.keys(properties[name].properties))
  expect(listed(null, 'accounts.NAME.').filter(isOwn).toSorted()).toEqual(
    Object.keys($defs.account.properties).toSorted(),
  )
  const when = $defs.account.properties.route.items.properties.when.properties
  expect(listed(null, 'accounts.NAME.route[].when.')).toEqual(Object.keys(when))
  expect($defs.destination.oneOf.length).toBeGreaterThan(5)
  for (const { properties: own } of $defs.destination.oneOf) {
    const { type, ...rest } = own
    expect([type.const, ...listed(type.const, 'destinations.NAME.')]).toEqual([type.const, ...Object.keys(rest)])
  }
  expect(listed(null, 'oauth.NAME.')).toEqual(Object.keys(properties.oauth.additionalProperties.properties))
})

test('each says in words what it is and what it may hold', () => {
  const silent = keys.filter(({ description, values }) => description === '' && !['a mapping'].includes(values))
  expect(silent).toEqual([])
  expect(keys.filter(({ values }) => /Invalid|anything|undefined/.test(values))).toEqual([])
  expect(keys.filter(({ description }) => /[.;:]$|^[^A-Za-z]/.test(description))).toEqual([])
})

test.each(keys.filter(({ usual }) => usual !== null))(
  '$path of $kind is the same when its default is written',
  (key) => {
    const written = assembled(withKey(key.path, key.kind, plain(key.usual ?? '')))
    expect(JSON.parse(written)).toEqual(JSON.parse(assembled(withKey(key.path, key.kind, undefined))))
  },
)

test('what it may hold is what the error for a wrong value expects', () => {
  for (const key of ['port', 'tls', 'delete', 'timeout', 'maxSize', 'poll', 'first', 'limit']) {
    const { problems } = assemble({ accounts: { a: { ...ACCOUNT, [key]: {} } } }, (path) => path)
    const { values } = keys.find(({ path }) => path === `accounts.NAME.${key}`) ?? {}
    expect([key, problems.map(({ expected }) => expected)]).toEqual([
      key,
      key === 'poll' ? expect.anything() : [values],
    ])
  }
})

describe('a key is found', () => {
  const pathsOf = (wanted: string): string[] =>
    referenceOf(wanted).flatMap((section) => section.keys.map(({ path }) => path))

  test.each([
    ['pipelining', ['accounts.NAME.pipelining']],
    ['accounts.work.pipelining', ['accounts.NAME.pipelining']],
    ['defaults.pipelining', ['accounts.NAME.pipelining']],
    ['daemon.http', ['daemon.http']],
    ['smtp.rate', ['destinations.NAME.rate']],
    ['destinations.smtp.rate', ['destinations.NAME.rate']],
    ['destinations.mine.rate', ['destinations.NAME.rate']],
    ['recipient.header', ['accounts.NAME.recipient.header']],
    ['log', ['log', 'log.file', 'log.level', 'log.format']],
    ['route[].when.size', ['accounts.NAME.route[].when.size']],
    ['maildir.rate', []],
    ['NAME', keys.filter(({ path }) => path.includes('NAME')).map(({ path }) => path)],
    ['nothing', []],
    ['', []],
  ])('by %s', (wanted, paths) => {
    expect(pathsOf(wanted)).toEqual(paths)
  })

  test('by each word that a hint may name', () => {
    expect(referenceWords().filter((word) => pathsOf(word).length === 0)).toEqual([])
    expect(referenceWords()).toContain('gmail')
  })
})
