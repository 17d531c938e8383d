// Who may look, and who may change something: a table over places, tokens, fields, cookies and forms.
import { expect, test } from 'vitest'
import type { Place } from '../../../src/config/daemon/daemon.ts'
import { HttpServer } from '../../../src/daemon/http/server.ts'
import { bearerOf, Token } from '../../../src/daemon/http/token.ts'
import { anyPort, asked, noNames, watched } from './scene.ts'

const TOKEN = 'correct-horse'
const named = { hosts: [], token: TOKEN }
/** Any address of this machine: other machines reach it. */
const OPEN: Place = { kind: 'port', host: '0.0.0.0', port: 0 }
const right = { authorization: `Bearer ${TOKEN}` }
const wrong = { authorization: 'Bearer battery' }

async function ask(server: HttpServer, path: string, init: RequestInit = {}) {
  const response = await fetch(`http://127.0.0.1:${server.port}${path}`, { redirect: 'manual', ...init })
  return { status: response.status, headers: response.headers, text: await response.text() }
}

test.each([
  ['/', 401, 200],
  ['/status.json', 401, 200],
  ['/metrics', 200, 200],
  ['/healthz', 200, 200],
  ['/livez', 200, 200],
] as const)(
  '%s from another machine is %i without the token, %i with it, and free on loopback',
  async (path, without, shown) => {
    await using open = await HttpServer.listen(OPEN, named, watched)
    expect((await ask(open, path)).status).toBe(without)
    expect((await ask(open, path, { headers: wrong })).status).toBe(without)
    expect((await ask(open, path, { headers: right })).status).toBe(shown)
    await using loopback = await HttpServer.listen(anyPort, named, watched)
    expect((await ask(loopback, path)).status).toBe(shown)
  },
)

test('only the token in a field changes something; the cookie does not, nor anything where no token is configured', async () => {
  await using server = await HttpServer.listen(anyPort, named, watched)
  const cookie = new Token(TOKEN).setCookie.split(';', 1)[0] ?? ''
  const statuses = async (init: RequestInit, path = '/wake') =>
    (await ask(server, path, { method: 'POST', ...init })).status
  expect(await statuses({})).toBe(401)
  expect(await statuses({ headers: wrong })).toBe(401)
  expect(await statuses({ headers: { cookie } })).toBe(401)
  expect(asked.splice(0)).toEqual([])
  expect(await statuses({ headers: right })).toBe(202)
  expect(await statuses({ headers: right }, '/wake?account=work')).toBe(202)
  expect(await statuses({ headers: right }, '/retry?account=home')).toBe(202)
  expect(await statuses({ headers: right }, '/retry?account=nobody')).toBe(404)
  expect(asked.splice(0)).toEqual(['wake null', 'wake work', 'retry home'])
  expect((await ask(server, '/wake', { headers: right })).status).toBe(405)
  await using none = await HttpServer.listen(anyPort, noNames, watched)
  expect((await ask(none, '/wake', { method: 'POST', headers: right })).status).toBe(401)
})

test('the form gives a strict cookie, which a new token ends', async () => {
  await using server = await HttpServer.listen(OPEN, named, watched)
  const form = (token: string, headers: Record<string, string> = {}) =>
    ask(server, '/sign-in', { method: 'POST', body: new URLSearchParams({ token }), headers })
  const refused = await form('battery')
  expect([refused.status, refused.headers.get('set-cookie')]).toEqual([401, null])
  expect(refused.text).toContain('That is not the token')
  expect(refused.headers.get('content-security-policy')).toContain("form-action 'self'")
  expect((await form(TOKEN, { 'sec-fetch-site': 'cross-site' })).status).toBe(403)
  expect((await form('x'.repeat(5000))).status).toBe(413)
  const taken = await form(TOKEN)
  expect([taken.status, taken.headers.get('location')]).toEqual([303, './'])
  const set = taken.headers.get('set-cookie') ?? ''
  expect(set).toMatch(/^popfetch-[0-9a-f]{8}=[\w-]{43}; Path=\/; Max-Age=\d+; HttpOnly; SameSite=Strict$/)
  const headers = { cookie: `other=1; ${set.split(';', 1)[0]}` }
  expect((await ask(server, '/', { headers })).status).toBe(200)
  server.call({ hosts: [], token: 'another' })
  expect((await ask(server, '/', { headers })).status).toBe(401)
})

test('after twenty wrong tokens in a minute none is looked at, and the cookie goes on', () => {
  let nowMs = 0
  const token = new Token(TOKEN, () => nowMs)
  for (let tries = 0; tries < 20; tries++) expect(token.judge('battery')).toBe('wrong')
  expect(token.judge(TOKEN)).toBe('busy')
  expect(token.isIn(token.setCookie.split(';', 1)[0])).toBe(true)
  nowMs = 60_001
  expect(token.judge(TOKEN)).toBe('right')
})

test.each([
  ['Bearer abc', 'abc'],
  ['bearer  abc ', 'abc'],
  ['Bearer ', null],
  ['Bearer a b', null],
  ['Basic abc', null],
  [undefined, null],
])('%j shows %j', (field, token) => {
  expect(bearerOf(field)).toBe(token)
})
