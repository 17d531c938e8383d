import { describe, expect, test } from 'vitest'
import { assemble } from '../../../src/config/assemble.ts'
import { parseText } from '../../../src/config/document.ts'
import { withAdditions } from '../../../src/config/edit/additions.ts'

const NEW = { host: 'pop.new.example', user: 'new', password: { env: 'NEW' }, deliver: 'inbox' }
const NONE = { accounts: {}, destinations: {}, oauth: {} }

/** Lines of the new text that the old one lacks; null: a line of the old one is gone, or out of order. */
function newLines(before: string, after: string): readonly string[] | null {
  const left = before.split('\n')
  const added: string[] = []
  for (const line of after.split('\n')) {
    if (left[0] === line) left.shift()
    else added.push(line)
  }
  return left.length === 0 || (left.length === 1 && left[0] === '') ? added : null
}

const FILES: Readonly<Record<string, string>> = {
  'as init writes it':
    'accounts:\n  a:\n    host: h\n    user: u\n    password: x\n    deliver: inbox\n\ndestinations:\n  inbox:\n    type: maildir\n    path: ~/Mail\n',
  'comments everywhere':
    '# mine\naccounts: # all of them\n  # the first\n  a:\n    host: h # here\n    user: u\n    password: "x # y"\n    deliver: inbox\n    # and its end\n# between\ndestinations:\n  inbox: { type: maildir, path: ~/Mail } # there\n# the end\n',
  'four spaces, accounts last, no line end':
    'destinations:\n    inbox:\n        type: maildir\n        path: ~/Mail\naccounts:\n    a:\n        host: h\n        user: u\n        password: x\n        deliver: inbox',
  'a list at the end of the last account':
    'accounts:\n  a:\n    host: h\n    user: u\n    password: x\n    deliver:\n    - inbox\n    - other\ndestinations:\n  inbox: {type: maildir, path: /a}\n  other: {type: maildir, path: /b}\n',
  'a block of text at the end':
    'destinations:\n  inbox: {type: maildir, path: /a}\naccounts:\n  a:\n    host: h\n    user: u\n    deliver: inbox\n    password: |-\n      secret\n\nstate: /tmp/state.db\n',
  'anchors and defaults':
    'x-usual: &usual\n  deliver: inbox\ndefaults:\n  delete: 30d\naccounts:\n  a:\n    <<: *usual\n    host: h\n    user: u\n    password: x\ndestinations:\n  inbox:\n    type: maildir\n    path: /a\n',
  'no destinations of their own':
    'accounts:\n  a:\n    host: h\n    user: u\n    password: x\n    deliver: maildir:/m\n',
  'Windows line ends':
    'accounts:\r\n  a:\r\n    host: h\r\n    user: u\r\n    password: x\r\n    deliver: maildir:/m\r\n',
}

describe('an account and a destination more', () => {
  test.each(Object.entries(FILES))(
    '%s: all lines stay, in their order, and the file means what it did and one more',
    (_, before) => {
      const more = {
        accounts: { new: { ...NEW, deliver: 'more' } },
        destinations: { more: { type: 'mbox', path: '/m' } },
        oauth: {},
      }
      const after = withAdditions(before, more) ?? ''
      const old = before.replace(/(?<!\n)$/, before.endsWith('\n') ? '' : '\n')
      expect(newLines(old, after)?.join('\n')).toMatch(/pop\.new\.example[\s\S]*|mbox/)
      const { configuration, problems } = assemble(parseText(after).root, (path) => path)
      expect(problems).toEqual([])
      expect(configuration?.accounts.map(({ name }) => name)).toEqual(['a', 'new'])
      expect(configuration?.destinations.has('more')).toBe(true)
      const was = assemble(parseText(before).root, (path) => path).configuration?.accounts[0]
      expect(JSON.stringify(configuration?.accounts[0])).toBe(JSON.stringify(was))
    },
  )

  const [ONE, TWO] = [{ b: { host: 'i', user: 'u, v', to: ['x@y', '{z}'] } }, { m: { type: 'mbox', path: '/m' } }]
  test.each([
    ['JSON on one line', '{"accounts":{"a":{"host":"h"}},"state":"s"}', null],
    [
      'JSON, four spaces deep',
      '{\n    "accounts": {\n        "a": {\n            "host": "h"\n        }\n    },\n    "state": "s"\n}\n',
      '{\n    "accounts": {\n        "a": {\n            "host": "h"\n        },\n        "b": {\n            "host": "i",',
    ],
    [
      'JSON with tabs',
      '{\n\t"accounts": {\n\t\t"a": {"host": "h"}\n\t}\n}\n',
      '\n\t\t"a": {"host": "h"},\n\t\t"b": {\n\t\t\t"host": "i",',
    ],
    ['empty JSON mappings', '{ "accounts": {}, "destinations": {} }', null],
    [
      'a mapping in braces',
      'accounts: { a: { host: h } } # all\nstate: s\n',
      'accounts: { a: { host: h }, b: { host: i,',
    ],
    ['an empty mapping in braces', 'accounts: {}\ndestinations: {}\n# end\n', 'accounts: {b: { host: i,'],
    ['YAML in braces', '{ accounts: { a: { host: h } } }', null],
    [
      'braces over lines, with comments',
      'accounts: {\n  a: { host: h } # the first\n  # the last\n}\nstate: s # there\n',
      'accounts: {\n  a: { host: h }, # the first\n  # the last\n  b: { host: i,',
    ],
    ['a comma at the end', 'accounts: {\n  a: { host: h },\n}\n', '  a: { host: h },\n  b: {'],
    ['a comma at the end of one line', 'accounts: { a: { host: h }, }\n', null],
    ['a comment behind the only account of one line', 'accounts: { a: { host: h } # , }\n  }\n', null],
    ['Windows line ends', 'accounts: {\r\n  a: { host: h }\r\n}\r\n', '{ host: h },\r\n  b: { host: i'],
    ['no line end', 'state: s\naccounts: { a: { host: h } }', null],
  ])('%s: gets one more where the others are, all else stays', (_, before, part) => {
    const after = withAdditions(before, { ...NONE, accounts: ONE, destinations: TWO }) ?? ''
    if (part !== null) expect(after).toContain(part)
    const { accounts = {}, destinations = {}, ...rest } = parseText(before).root as Record<string, object>
    expect(parseText(after)).toMatchObject({
      problems: [],
      root: { ...rest, accounts: { ...accounts, ...ONE }, destinations: { ...destinations, ...TWO } },
    })
    // Every sign of the text before is there, in its order.
    let at = 0
    for (const sign of after) if (sign === before[at]) at += 1
    expect(at).toBe(before.length)
    if (before.startsWith('{"')) expect(JSON.parse(after)).toEqual(parseText(after).root)
  })

  test.each([
    ['a key without a value', 'accounts:\n'],
    ['another mapping', 'x-all: &all { a: { host: h } }\naccounts: *all\n'],
    ['no mapping', '- a\n'],
    ['no YAML', 'accounts:\n\t- a: [\n'],
  ])('%s is not touched', (_, before) => {
    expect(withAdditions(before, { ...NONE, accounts: { b: NEW } })).toBeNull()
  })
})
