// What a provider may answer, and what popfetch makes of it: for each endpoint and flow.
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { expect } from 'vitest'
import { PopfetchError } from '../../src/errors.ts'

export type Answer = (response: ServerResponse, asked: IncomingMessage) => void

export const json =
  (body: object | string, status = 200, headers: Record<string, string> = {}): Answer =>
  (response) => {
    response.writeHead(status, { 'content-type': 'application/json', ...headers })
    response.end(typeof body === 'string' ? body : JSON.stringify(body))
  }
export const refusal = (error: string, description = ''): Answer =>
  json({ error, ...(description === '' ? {} : { error_description: description }) }, 400)
export const html =
  (status: number): Answer =>
  (response) => {
    response.writeHead(status, { 'content-type': 'text/html' })
    response.end('<html><script>alert(1)</script>')
  }
const tokens = {
  access_token: 'fresh-access-99117',
  refresh_token: 'fresh-refresh-2218',
  token_type: 'Bearer',
  expires_in: 3600,
}

/** What the token endpoint answers, and what the poll ends with. */
export const TABLE: Readonly<Record<string, readonly [Answer, string, RegExp]>> = {
  'HTML instead of JSON': [html(200), 'ERR_PROVIDER', /text\/html instead of JSON: it begins with "<html>/],
  'HTML with an error': [html(404), 'ERR_PROVIDER', /answered 404 with text\/html/],
  'HTML of a broken server': [html(502), 'ERR_CONNECT', /busy or broken \(502\)/],
  'too many requests': [json({ error: 'x' }, 429, { 'retry-after': '120' }), 'ERR_CONNECT', /busy or broken \(429\)/],
  'a redirect to http': [
    json('', 302, { location: 'http://evil.example/' }),
    'ERR_PROVIDER',
    /redirects us \(302, to http:\/\/evil/,
  ],
  '10 MB of JSON': [json(`{"access_token":"${'a'.repeat(10_000_000)}"}`), 'ERR_PROVIDER', /longer than 1 MB/],
  'JSON that is cut': [json('{"access_token":"abc'), 'ERR_PROVIDER', /cannot be used/],
  'a list': [json('[]'), 'ERR_PROVIDER', /cannot be used/],
  'a number': [json('7'), 'ERR_PROVIDER', /cannot be used/],
  nothing: [json(''), 'ERR_PROVIDER', /cannot be used/],
  'no access token': [json({ ...tokens, access_token: undefined }), 'ERR_PROVIDER', /access_token/],
  'an access token that is an object': [json({ ...tokens, access_token: {} }), 'ERR_PROVIDER', /access_token/],
  'a token of 64 KiB': [
    json({ ...tokens, access_token: 'a'.repeat(65_536) }),
    'ERR_PROVIDER',
    /an access token of 65536 octets/,
  ],
  'a token with a line break': [
    json({ ...tokens, access_token: 'a\r\nQUIT' }),
    'ERR_PROVIDER',
    /characters that no token has/,
  ],
  'a token of another type': [json({ ...tokens, token_type: 'mac' }), 'ERR_PROVIDER', /cannot be used/],
  'deep JSON': [json('['.repeat(200_000)), 'ERR_PROVIDER', /cannot be used/],
  'control bytes in a description': [
    refusal('invalid_scope', 'a\u001b[2J\u202eb'),
    'ERR_AUTH',
    /invalid_scope: a\\x1b\[2J\\u\{202e\}b/,
  ],
  'a description of 100 KB': [refusal('invalid_scope', 'x'.repeat(100_000)), 'ERR_AUTH', /invalid_scope: x{100,200}…/],
  'a wrong client': [refusal('invalid_client'), 'ERR_AUTH', /refuses the client/],
  'a scope that is refused': [refusal('invalid_scope'), 'ERR_AUTH', /check scopes/],
  'an error nobody knows': [refusal('teapot'), 'ERR_AUTH', /teapot/],
  'a provider that cannot now': [refusal('temporarily_unavailable'), 'ERR_CONNECT', /cannot answer now/],
  "Microsoft's numbers": [
    refusal('invalid_grant', 'AADSTS700082: The refresh token has expired. Trace ID: 1\r\nTimestamp: 2'),
    'ERR_AUTH',
    /AADSTS700082: the sign-in was not used for too long: sign in again/,
  ],
  'a compressed answer': [json(tokens, 200, { 'content-encoding': 'gzip' }), 'ERR_PROVIDER', /compressed/],
  'a closed connection': [(response) => void response.socket?.destroy(), 'ERR_CONNECT', /connection was lost/],
  'half an answer': [
    (response) => {
      response.writeHead(200, { 'content-type': 'application/json', 'content-length': '1000' })
      response.write('{"access', () => response.socket?.destroy())
    },
    'ERR_CONNECT',
    /connection was lost/,
  ],
  'no answer': [() => {}, 'ERR_TIMEOUT', /took longer than 1 s/],
  'an answer without an end': [
    (response) => {
      response.writeHead(200, { 'content-type': 'application/json' })
      const more = setInterval(() => response.write(' '), 50)
      response.on('close', () => clearInterval(more))
    },
    'ERR_TIMEOUT',
    /took longer than 1 s/,
  ],
}

export async function answering(answer: Answer) {
  const server = createServer((asked, response) => {
    asked.resume()
    asked.on('end', () => answer(response, asked))
  })
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  const origin = `http://127.0.0.1:${typeof address === 'object' ? address?.port : 0}`
  return {
    origin,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      await new Promise((resolve) => void server.close(resolve))
    },
  }
}

export const thrown = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    (value) => Promise.reject(new Error(`it did not fail: ${JSON.stringify(value)}`)),
    (error: unknown) => error,
  )

export function expectClear(error: unknown, code: string, text: RegExp): asserts error is PopfetchError {
  expect(error).toBeInstanceOf(PopfetchError)
  if (!(error instanceof PopfetchError)) throw error
  expect({ code: error.code, message: error.message }).toMatchObject({ code, message: expect.stringMatching(text) })
  expect(error.message).toMatch(/^[ -~…]{20,600}$/)
  expect(error.message).not.toMatch(/fresh-access|fresh-refresh|a-refresh-token/)
}
