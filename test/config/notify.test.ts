// `notify`: who is told, and what is shown of it.
import { expect, test } from 'vitest'
import { showConfiguration } from '../../src/config/load.ts'
import { Scene } from './scene.ts'

const ACCOUNTS =
  'accounts: {a: {host: h, user: u, password: {env: P}, deliver: inbox}}\ndestinations: {inbox: {type: maildir, path: /m}}'
const USUAL = ['problem', 'recovery', 'refused', 'held', 'sign-in', 'process']

test('takes the four ways, and shows neither addresses nor headers', async () => {
  await using scene = await Scene.create()
  const keys = `
  - run: [notify-send, popfetch]
  - { url: "https://ntfy.sh/secret-topic", on: [problem, success] }
  - { url: "http://gotify.lan/message", json: true, headers: { X-Gotify-Key: { env: KEY }, Authorization: Bearer-of-ours } }
  - { mail: inbox }
  - { ping: { file: ./ping } }`
  const configuration = await scene.load(`${ACCOUNTS}\nnotify:${keys}`)
  expect(configuration.notify.map(({ on, way }) => [way.kind, on])).toEqual([
    ['run', USUAL],
    ['url', ['problem', 'success']],
    ['url', USUAL],
    ['mail', USUAL],
    ['ping', USUAL],
  ])
  const shown = showConfiguration(configuration)
  expect(shown).toContain('mail: inbox')
  expect(shown).not.toMatch(/secret-topic|Bearer-of-ours|gotify/)
})

test('nobody is told of anything where it is not written', async () => {
  await using scene = await Scene.create()
  const configuration = await scene.load(ACCOUNTS)
  expect(configuration.notify).toEqual([])
  expect(showConfiguration(configuration)).not.toContain('notify')
})

test.each([
  ['{ mail: inbox }', 'notify: found a mapping, expected a list of notices'],
  ['[{ mail: inbix }]', 'notify[0].mail: found "inbix", expected a known destination: did you mean inbox?'],
  ['[{ on: [problem] }]', 'notify[0]: found a mapping, expected one of run: [program, argument], url: ADDRESS'],
  ['[{ mail: inbox, run: [x] }]', 'expected one of run: [program, argument]'],
  ['[{ mail: inbox, json: true }]', 'expected json and headers only with url'],
  ['[{ mail: inbox, on: [trouble] }]', 'notify[0].on[0]: found "trouble", expected one of problem, recovery, refused'],
  ['[{ url: "ftp://example.org/" }]', 'an http:// or https:// address'],
  ['[{ ping: "https://user:word@example.org/" }]', 'an http:// or https:// address'],
  [
    '[{ url: "https://example.org/", headers: { "a b": c } }]',
    'notify[0].headers.a b: found text, expected a mapping of header fields',
  ],
  ['[{ urls: "https://example.org/" }]', 'did you mean url?'],
])('notify: %s is refused', async (written, expected) => {
  await using scene = await Scene.create()
  const problems = await scene.problems(`${ACCOUNTS}\nnotify: ${written}`)
  expect(problems.join('\n')).toContain(expected)
  expect(problems.join('\n')).not.toMatch(/user:word|example\.org/)
})
