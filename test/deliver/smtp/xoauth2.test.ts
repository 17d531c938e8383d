// XOAUTH2 and OAUTHBEARER: one command with the token, a refusal in a challenge, and one more try where there is another token.
import { expect, test } from 'vitest'
import type { Auth } from '../../../src/deliver/smtp/capabilities.ts'
import type { Step } from '../../support/smtp-server.ts'
import { attempt, destination, failure, heardBy, MAIL, message, never, outcome, scripted } from './scene.ts'

const offering = (offers: string): readonly Step[] => [
  { send: '220 mx ESMTP' },
  { expect: 'EHLO host.example' },
  { send: `250-mx\r\n250 AUTH ${offers}` },
]
const hello = offering('PLAIN XOAUTH2')
const taken: readonly Step[] = [
  { send: '235 2.7.0 accepted' },
  { expect: /^MAIL/ },
  { send: '250 ok' },
  { expect: /^RCPT/ },
  { send: '250 ok' },
  { expect: 'DATA' },
  { send: '354 go on' },
  { expectUntil: '\r\n.\r\n' },
  { send: '250 ok' },
  { ignore: true },
]
/** As Google and Microsoft refuse: why, as a challenge; the answer to it is empty. */
const refused: readonly Step[] = [
  { send: `334 ${Buffer.from('{"status":"401","schemes":"Bearer"}').toString('base64')}` },
  { expect: '' },
  { send: '535 5.7.8 bad credentials' },
]
const asks = (token: string): Step => ({
  expect: `AUTH XOAUTH2 ${Buffer.from(`user=me\u0001auth=Bearer ${token}\u0001\u0001`).toString('base64')}`,
})

function withTokens(port: number, ...tokens: readonly string[]) {
  let asked = 0
  const secret = () => Promise.resolve(tokens[Math.min(asked++, tokens.length - 1)] ?? '')
  return destination(port, { user: 'me', auth: 'xoauth2', secret })
}

test('a token signs in, though nodemailer would rather send it as a password with PLAIN', async () => {
  const server = await scripted([...hello, asks('first'), ...taken])
  await withTokens(server.port, 'first').deliver(attempt(), message(MAIL), never)
})

test('a refused token is asked for again, and the new one tried once', async () => {
  const server = await scripted([...hello, asks('old'), ...refused, asks('new'), ...taken])
  await withTokens(server.port, 'old', 'new').deliver(attempt(), message(MAIL), never)
})

test('two refused tokens are the end', async () => {
  const server = await scripted([...hello, asks('token-1'), ...refused, asks('token-2'), ...refused, { ignore: true }])
  const error = await failure(withTokens(server.port, 'token-1', 'token-2', 'token-3').ready(never))
  expect(outcome(error)).toBe('SIGN temporary destination 77')
  expect(error.message).toContain('"535 5.7.8 bad credentials"')
})

test('the same token again is not tried again', async () => {
  const server = await scripted([...hello, asks('old'), { send: '535 5.7.8 bad credentials' }, { ignore: true }])
  expect(outcome(await failure(withTokens(server.port, 'old').ready(never)))).toBe('SIGN temporary destination 77')
})

test('a server that does not offer XOAUTH2 gets no token', async () => {
  const server = await scripted([{ send: '220 mx' }, { expect: /^EHLO/ }, { send: '250 AUTH PLAIN' }, { ignore: true }])
  const error = await failure(withTokens(server.port, 'first').ready(never))
  expect(error.message).toContain('the server offers PLAIN, not XOAUTH2')
})

test.each<readonly [Auth, string, 'XOAUTH2' | 'OAUTHBEARER']>([
  ['token', 'OAUTHBEARER XOAUTH2', 'XOAUTH2'],
  ['token', 'PLAIN OAUTHBEARER', 'OAUTHBEARER'],
  ['oauthbearer', 'XOAUTH2 OAUTHBEARER', 'OAUTHBEARER'],
  ['xoauth2', 'OAUTHBEARER XOAUTH2', 'XOAUTH2'],
])('by %s at a server that offers %s, a token goes by %s', async (auth, offers, method) => {
  const server = await scripted([...offering(offers), { expect: new RegExp(`^AUTH ${method} `) }, ...taken])
  const secret = () => Promise.resolve('first')
  await destination(server.port, { user: 'me', auth, secret }).deliver(attempt(), message(MAIL), never)
})

test.each<readonly [Auth, string, string]>([
  ['token', 'PLAIN LOGIN', 'not XOAUTH2 or OAUTHBEARER'],
  ['oauthbearer', 'PLAIN XOAUTH2', 'not OAUTHBEARER'],
])('by %s at a server that offers %s, no token goes out', async (auth, offers, why) => {
  const server = await scripted([...offering(offers), { ignore: true }])
  const secret = () => Promise.resolve('first')
  const error = await failure(destination(server.port, { user: 'me', auth, secret }).ready(never))
  expect(error.message).toContain(why)
})

test('OAUTHBEARER names the user as RFC 5801 writes it, and answers a refusal with one byte', async () => {
  let asked = 0
  const secret = () => Promise.resolve(asked++ === 0 ? 'old' : 'new')
  const user = 'me,=you@example.org'
  const server = await scripted([
    ...offering('OAUTHBEARER'),
    { expect: /^AUTH OAUTHBEARER / },
    { send: `334 ${Buffer.from('{"status":"invalid_token"}').toString('base64')}` },
    { expect: 'AQ==' },
    { send: '535 5.7.8 bad credentials' },
    { expect: /^AUTH OAUTHBEARER / },
    ...taken,
  ])
  await destination(server.port, { user, auth: 'oauthbearer', secret }).deliver(attempt(), message(MAIL), never)
  const said = /^AUTH OAUTHBEARER (\S+)/gm
  const [, last = ''] = [...heardBy(server).matchAll(said)].at(-1) ?? []
  expect(Buffer.from(last, 'base64').toString()).toBe(
    `n,a=me=2C=3Dyou@example.org,\u0001host=127.0.0.1\u0001port=${server.port}\u0001auth=Bearer new\u0001\u0001`,
  )
})
