// The keys of a mailbox at Gmail.
import { describe, expect, test } from 'vitest'
import { Scene } from '../scene.ts'

const KEYS = 'type: gmail, user: anna@gmail.com, token: { env: T }'

describe('a mailbox at Gmail', () => {
  test('has every key filled in when only user and token are written', async () => {
    await using scene = await Scene.create()
    expect(await scene.destination(KEYS)).toEqual({
      name: 'd',
      type: 'gmail',
      user: 'anna@gmail.com',
      token: { kind: 'env', name: 'T' },
      labels: ['INBOX', 'UNREAD'],
      date: 'header',
      spam: 'classify',
      wrap: 'never',
      concurrency: 4,
      endpoint: 'https://gmail.googleapis.com',
      trace: true,
      label: false,
    })
  })

  test('has labels of its own in any case, other ones as they are, each once', async () => {
    await using scene = await Scene.create()
    const found = await scene.destination(`${KEYS}, labels: [inbox, Category_Social, Work/Old, INBOX, "{account}"]`)
    expect(found).toMatchObject({ labels: ['INBOX', 'CATEGORY_SOCIAL', 'Work/Old', '{account}'] })
    expect(await scene.destination(`${KEYS}, labels: []`)).toMatchObject({ labels: [] })
  })

  test.each(['http://127.0.0.1:8080', 'http://localhost', 'http://[::1]:1', 'https://gmail.example.org'])(
    'may be another server at %s',
    async (endpoint) => {
      await using scene = await Scene.create()
      expect(await scene.destination(`${KEYS}, endpoint: "${endpoint}"`)).toMatchObject({ endpoint })
    },
  )

  test.each([
    'type: gmail, user: anna@gmail.com',
    'type: gmail, token: { env: T }',
    'type: gmail, user: anna, token: { env: T }',
    `${KEYS}, endpoint: "http://gmail.example.org"`,
    `${KEYS}, endpoint: "https://u:p@gmail.example.org"`,
    `${KEYS}, endpoint: "https://gmail.example.org/x"`,
    `${KEYS}, endpoint: "file:///etc/passwd"`,
    `${KEYS}, labels: INBOX`,
    `${KEYS}, labels: [""]`,
    `${KEYS}, labels: ["a\\nb"]`,
    `${KEYS}, labels: ["{acount}"]`,
    `${KEYS}, labels: ["${'x'.repeat(226)}"]`,
    `${KEYS}, labels: ["{local}"]`,
    `${KEYS}, password: x`,
    `${KEYS}, spam: always`,
  ])('with %s is refused', async (keys) => {
    await using scene = await Scene.create()
    const text = `accounts:\n  a: { host: h, user: u, password: { env: P }, deliver: d }\ndestinations:\n  d: { ${keys} }\n`
    await expect(scene.load(text)).rejects.toMatchObject({ code: 'ERR_CONFIG' })
  })
})
