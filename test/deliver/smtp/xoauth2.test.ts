// XOAUTH2: one command with the token, a refusal in a challenge, and one more try where there is another token.
import { expect, test } from 'vitest'
import type { Step } from '../../support/smtp-server.ts'
import { attempt, destination, failure, MAIL, message, never, outcome, scripted } from './scene.ts'

const hello: readonly Step[] = [
  { send: '220 mx ESMTP' },
  { expect: 'EHLO host.example' },
  { send: '250-mx\r\n250 AUTH PLAIN XOAUTH2' },
]
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
