// A provider that repeats what it was told, in each form, at each endpoint. No secret of a sign-in is printed, logged (trace),
// or kept anywhere but in the file of the sign-in.
import { createServer, get } from 'node:http'
import { readdir, readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { Person } from '../cli/person.ts'
import { FORMS, tracesIn } from './forms.ts'

const USER = 'alice@example.org'
const CLIENT_SECRET = 'wT4~client.8rNbYcQ2'
/** What is secret of each request. */
const PARAMETERS = ['client_secret', 'code', 'code_verifier', 'device_code', 'refresh_token', 'token'] as const
const GIVEN = {
  access_token: 'ya29.Acc3ss-Kd93vLpX-77',
  refresh_token: '1//Zq7-refresh-Bn82wLmY',
  id_token: `x.${Buffer.from(JSON.stringify({ email: USER, at_hash: 'Hq93mVbN2' })).toString('base64url')}.S1gnature-Yh38`,
  token_type: 'Bearer',
  expires_in: 3600,
}

/** `isKind`: all is well. Else each answer is a refusal with what was asked, in this form. */
async function echo() {
  const seen = new Set<string>()
  const state = { repeat: (secret: string) => secret, isKind: true }
  const server = createServer((asked, response) => {
    let body = ''
    asked.setEncoding('utf8').on('data', (chunk: string) => (body += chunk))
    asked.on('end', () => {
      const parameters = new URLSearchParams(body)
      const secrets = PARAMETERS.flatMap((name) => parameters.getAll(name))
      for (const secret of secrets) seen.add(secret)
      response.setHeader('content-type', 'application/json')
      if (asked.url === '/device') {
        const begun = { device_code: 'D3vice-code-Rt61zQ', user_code: 'ABCD', verification_uri: 'https://ok.example/' }
        response.end(JSON.stringify({ ...begun, interval: 1, expires_in: 600 }))
      } else if (state.isKind) response.end(JSON.stringify(GIVEN))
      else {
        const description = secrets.map((secret) => state.repeat(secret)).join(' and ')
        response.writeHead(400).end(JSON.stringify({ error: 'invalid_request', error_description: description }))
      }
    })
  })
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  return {
    origin: `http://127.0.0.1:${typeof address === 'object' ? address?.port : 0}`,
    seen,
    state,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      await new Promise((resolve) => void server.close(resolve))
    },
  }
}

let person: Person
let provider: Awaited<ReturnType<typeof echo>>
beforeEach(async () => {
  person = await Person.arrive()
  provider = await echo()
  const { origin } = provider
  const ends = `authorizationEndpoint: "${origin}/auth", tokenEndpoint: "${origin}/token", deviceEndpoint: "${origin}/device", revocationEndpoint: "${origin}/revoke"`
  const client = `{ ${ends}, clientId: c, clientSecret: { file: secret }, scopes: [openid, mail] }`
  const account = `host: 127.0.0.1, port: 1, tls: none, user: ${USER}, deliver: "maildir:/mail", token: { oauth: company }`
  await person.write(
    '.config/popfetch/config.yaml',
    `oauth: { company: ${client} }\naccounts: { here: { ${account} } }\n`,
  )
  await person.write('.config/popfetch/secret', CLIENT_SECRET)
})
afterEach(async () => {
  await provider[Symbol.asyncDispose]()
  await person[Symbol.asyncDispose]()
})

const CODE = '4/0Ab-Code.Wm29xVtR'

/** Runs it with a log of all that there is; in the browser flow the browser comes back at once. */
async function run(...words: readonly string[]): Promise<string> {
  const log = person.path('trace.log')
  const running = person.run(...words, '--verbose', '--log-file', log, '--log-level', 'trace')
  const over = new AbortController()
  void running.finally(() => over.abort())
  while (words.includes('--browser') && !over.signal.aborted && !/^ssh .*\n/m.test(person.stderr.text))
    await new Promise((resolve) => void setImmediate(resolve))
  const address = /^http.*response_type=code.*$/m.exec(person.stderr.text)?.[0]
  if (address !== undefined) {
    const asked = new URL(address).searchParams
    const back = new URL(asked.get('redirect_uri') ?? '')
    back.search = new URLSearchParams({ code: CODE, state: asked.get('state') ?? '' }).toString()
    await new Promise<void>((resolve) => void get(back, (response) => response.resume().on('end', resolve)))
  }
  await running
  return `${person.stdout.text}\n${person.stderr.text}\n${await readFile(log, 'utf8').catch(() => '')}`
}

async function everyFile(folder: string): Promise<readonly string[]> {
  const names = await readdir(folder, { recursive: true })
  const files: string[] = []
  for (const name of names) if ((await stat(join(folder, name))).isFile()) files.push(join(folder, name))
  return files
}

function expectNoTrace(text: string): void {
  const secrets = [...provider.seen, ...Object.values(GIVEN).filter((value) => String(value).length > 12), CODE]
  for (const secret of secrets) expect(tracesIn(text, String(secret)), text.slice(0, 2000)).toEqual([])
}

describe.each(Object.entries(FORMS))('in the form "%s"', (_form, repeat) => {
  test('nothing of a sign-in by browser or device, of a renewal or of a sign-out is seen', async () => {
    provider.state.repeat = repeat
    // Refused at the token endpoint: with code and verifier, then with the device code.
    provider.state.isKind = false
    expectNoTrace(await run('auth', '--browser'))
    expectNoTrace(await run('auth', '--device'))
    expect(provider.seen.size).toBeGreaterThanOrEqual(4)
    // Signed in; what is told of it, and what of it leaves this machine.
    provider.state.isKind = true
    expectNoTrace(await run('auth', '--browser'))
    for (const words of [['auth', '--list'], ['status'], ['config', 'show'], ['state', 'export'], ['here']])
      expectNoTrace(await run(...words))
    expectNoTrace(await run('state', 'backup', person.path('copy.db')))
    // A renewal and a revocation that are refused.
    provider.state.isKind = false
    const folder = person.path('.local/state/popfetch/oauth')
    const [name = ''] = (await readdir(folder)).filter((file) => file.endsWith('.json'))
    const kept = JSON.parse(await readFile(join(folder, name), 'utf8')) as object
    await person.write(`.local/state/popfetch/oauth/${name}`, JSON.stringify({ ...kept, expiresMs: 1 }))
    expectNoTrace(await run('here'))
    expectNoTrace(await run('auth', '--sign-out', 'here'))
    expect([...provider.seen]).toContain(GIVEN.refresh_token)
    for (const file of await everyFile(person.home)) {
      if (file.endsWith('popfetch/secret')) continue
      expectNoTrace((await readFile(file)).toString('latin1'))
    }
  })
})
