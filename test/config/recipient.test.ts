// `recipient` of an account, and destinations that depend on it.
import { describe, expect, test } from 'vitest'
import { asWritten } from '../../src/config/show.ts'
import { Scene } from './scene.ts'

const RULE = '{ header: X-Original-To, domains: [example.org], otherwise: post@example.org }'
const BOTH = '{ header: X-Original-To, domains: [example.org, example.net], otherwise: post@example.org }'

function text(recipient: string | null, destination: string): string {
  const key = recipient === null ? '' : `, recipient: ${recipient}`
  return `accounts:\n  a: { host: h, user: u, password: { env: P }, deliver: d${key} }\ndestinations:\n  d: ${destination}\n`
}

test('is shown as it was written', async () => {
  await using scene = await Scene.create()
  const shown = async (recipient: string | null) => {
    const { accounts } = asWritten(await scene.load(text(recipient, '{ type: maildir, path: /m }')))
    return JSON.parse(JSON.stringify(accounts)).a.recipient
  }
  expect(await shown('{ header: X-Original-To, domains: Example.ORG, otherwise: Post@B\u00fccher.example }')).toEqual({
    header: 'X-Original-To',
    domains: ['example.org'],
    otherwise: 'Post@xn--bcher-kva.example',
  })
  expect(await shown('anna@kunde.example')).toBe('anna@kunde.example')
  expect(await shown(null)).toBeUndefined()
})

test.each([
  'anna',
  '{ header: X-Original-To, domains: [example.org] }',
  '{ header: X-Original-To, domains: [], otherwise: post@example.org }',
  '{ header: "X To", domains: [example.org], otherwise: post@example.org }',
  '{ header: X-Original-To, domains: ["example.org/x"], otherwise: post@example.org }',
  '{ header: X-Original-To, domains: [example.org], otherwise: "{local}@example.org" , more: 1 }',
])('%s is refused, and the destinations are not blamed as well', async (recipient) => {
  await using scene = await Scene.create()
  const problems = await scene.problems(text(recipient, '{ type: maildir, path: "/m/{local}" }'))
  expect(problems).toHaveLength(1)
  expect(problems[0]).toContain('recipient')
})

describe('a destination with {recipient}, {local} or {domain}', () => {
  test.each([
    '{ type: maildir, path: "/m/{local}" }',
    '{ type: mbox, path: "/m/{domain}" }',
    '{ type: smtp, host: h, to: "{recipient}" }',
  ])('%s wants a recipient at each account', async (destination) => {
    await using scene = await Scene.create()
    const [problem, ...others] = await scene.problems(text(null, destination))
    expect(others).toEqual([])
    expect(problem).toContain('expected a recipient, which says whose mail it is')
    for (const recipient of [RULE, 'anna@example.org'])
      expect((await scene.load(text(recipient, destination))).accounts).toHaveLength(1)
  })

  test.each([
    ['{ type: maildir, path: "/m/{local}" }', false],
    ['{ type: smtp, host: h, to: "{local}@in.example" }', false],
    ['{ type: maildir, path: "/m/{local}@{domain}" }', true],
    ['{ type: maildir, path: "/m/{recipient}" }', true],
    ['{ type: maildir, path: "/m/all" }', true],
    ['{ type: smtp, host: h, to: "{local}@{domain}" }', true],
  ])('%s of several domains is right: %s', async (destination, right) => {
    await using scene = await Scene.create()
    const load = scene.load(text(BOTH, destination))
    if (right) expect((await load).accounts).toHaveLength(1)
    else await expect(load).rejects.toThrow(/several domains, expected \{domain\} or \{recipient\}/)
  })

  test.each<[string, readonly string[], boolean]>([
    ['/m/{local}.{domain}', ['example.org', 'x.example.org'], false],
    ['/m/{local}-{domain}', ['example.org', 'x.example.org'], true],
    ['/m/{local}-{domain}', ['example.org', 'my-example.org'], false],
    ['/m/{local}{domain}', ['example.org', 'myexample.org'], false],
    ['/m/{domain}.{local}', ['example.org', 'example.org.uk'], false],
    ['/m/{domain}/{local}', ['example.org', 'example.org.uk'], true],
    ['/m/{local}@{domain}', ['example.org', 'x.example.org'], true],
    ['/m/{local}.{domain}', ['example.org', 'example.net'], true],
    ['/m/{local}.{domain}', ['example.org'], true],
    ['/m/{domain}/{local}.{domain}', ['example.org', 'x.example.org'], false],
    ['/m/{local}.{account}.{domain}', ['example.org', 'x.example.org'], true],
  ])('in %s of the domains %j tells all addresses apart: %s', async (path, domains, right) => {
    await using scene = await Scene.create()
    const rule = `{ header: X-Original-To, domains: [${domains.join(', ')}], otherwise: post@example.org }`
    const load = scene.load(text(rule, `{ type: maildir, path: "${path}" }`))
    if (right) expect((await load).accounts).toHaveLength(1)
    else await expect(load).rejects.toThrow(/different domains, expected a sign between \{local\} and \{domain\}/)
  })

  test.each([
    '{ type: maildir, path: "/m/{lokal}" }',
    '{ type: smtp, host: h, to: "{recipient}@x.example" }',
    '{ type: smtp, host: h, to: "{local}" }',
    '{ type: smtp, host: h, to: "{recipient}", from: "{local}@x.example" }',
  ])('%s is refused', async (destination) => {
    await using scene = await Scene.create()
    await expect(scene.load(text(RULE, destination))).rejects.toMatchObject({ code: 'ERR_CONFIG' })
  })
})
