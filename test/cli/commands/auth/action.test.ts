// `popfetch auth` as a person types it, against a real authorization server.
import { readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { AuthorizationServer, CLIENT_ID, CLIENT_SECRET, Visitor } from '../../../support/authorization-server.ts'
import { Person } from '../../person.ts'

const USER = 'alice@example.org'
let person: Person
let server: AuthorizationServer
beforeEach(async () => {
  person = await Person.arrive()
  server = await AuthorizationServer.start()
  const client = `{ issuer: "${server.issuer}", clientId: ${CLIENT_ID}, scopes: [openid, email, mail] }`
  const account = `host: pop.example.org, user: ${USER}, deliver: "maildir:/mail"`
  const smtp = `type: smtp, host: smtp.example.org, user: ${USER}, token: { oauth: company }, to: x@example.org`
  await person.write(
    '.config/popfetch/config.yaml',
    `oauth: { company: ${client} }
accounts:
  here: { ${account}, token: { oauth: company } }
  plain: { ${account}, password: { env: P } }
  onward: { host: pop.example.org, user: carol, password: { env: P }, deliver: { first-of: [out, "maildir:/m"] } }
destinations: { out: { ${smtp} } }
`,
  )
})
afterEach(async () => {
  await server[Symbol.asyncDispose]()
  await person[Symbol.asyncDispose]()
})

/** Runs it, and visits the address that it prints. */
async function signIn(words: readonly string[], visit: (address: string) => Promise<unknown>): Promise<number> {
  const running = person.run('auth', '--browser', ...words)
  const over = new AbortController()
  void running.finally(() => over.abort())
  while (!over.signal.aborted && !/^ssh .*\n/m.test(person.stderr.text)) {
    await new Promise((resolve) => void setImmediate(resolve))
  }
  const address = /^http.*$/m.exec(person.stderr.text)?.[0]
  if (address !== undefined) await visit(address)
  return await running
}

const willing = (login: string) => (address: string) => new Visitor(login).open(address)

async function listed(): Promise<unknown> {
  expect(await person.run('auth', '--list', '--json')).toBe(0)
  return JSON.parse(person.stdout.text)
}

test('one sign-in serves all with the same client and user; it is listed, used and ended', async () => {
  const shared = { client: 'company', user: USER, accounts: ['here'], destinations: ['out'] }
  expect(await listed()).toEqual({
    ok: true,
    signIns: [{ ...shared, since: null, until: null, state: 'none', error: null }],
  })
  expect(await signIn(['out'], willing(USER))).toBe(0)
  expect(person.stderr.text).toContain(`signed in: ${USER} via company (here, out)\n`)
  expect(person.stderr.text).not.toContain('warning')
  expect(person.stdout.text).toBe('')
  expect(await listed()).toMatchObject({ signIns: [{ ...shared, state: 'ok', since: expect.any(String) as string }] })

  expect(await person.run('auth', '--token', 'here')).toBe(0)
  expect(person.stdout.text).toMatch(/^[\w.~+/-]+\n$/)
  const token = person.stdout.text.trim()
  expect(person.stderr.text).toBe('')
  expect(await person.run('auth', '--list', '--verbose')).toBe(0)
  expect(person.printed).not.toContain(token)

  const asked = server.journal.length
  expect(await person.run('auth')).toBe(0)
  expect(person.stderr.text).toBe('everything is signed in: see popfetch auth --list\n')
  expect(server.journal).toHaveLength(asked)

  expect(await person.run('auth', '--sign-out', 'here')).toBe(0)
  expect(person.stderr.text).toMatch(/is forgotten and ended at the provider \(here, out\)/)
  expect(await listed()).toMatchObject({ signIns: [{ state: 'none' }] })
  expect(await person.run('auth', '--token', 'here')).toBe(77)
  expect(person.stdout.text).toBe('')
})

test('an account whose destination alone signs in means that destination', async () => {
  expect(await signIn(['onward'], willing(USER))).toBe(0)
  expect(person.stderr.text).toContain(`signed in: ${USER} via company (here, out)\n`)
  expect(await person.run('auth', '--token', 'onward')).toBe(0)
  expect(person.stdout.text).toMatch(/^[\w.~+/-]+\n$/)
  expect(await person.run('auth', '--sign-out', 'onward')).toBe(0)
  expect(await listed()).toMatchObject({ signIns: [{ state: 'none' }] })
})

test('status tells of sign-ins that ended or end soon, and has all of them in JSON', async () => {
  expect(await signIn([], willing(USER))).toBe(0)
  expect(await person.run('status')).toBe(0)
  expect(person.stdout.text).not.toMatch(/signed in/)
  const folder = join(person.home, '.local/state/popfetch/oauth')
  const [name = ''] = (await readdir(folder)).filter((file) => file.endsWith('.json'))
  const kept = JSON.parse(await readFile(join(folder, name), 'utf8')) as object
  const change = (more: object): Promise<void> => writeFile(join(folder, name), JSON.stringify({ ...kept, ...more }))
  const shared = { client: 'company', user: USER, accounts: ['here'], destinations: ['out'] }
  const states: readonly (readonly [object, string, RegExp])[] = [
    [{ endsMs: Date.now() + 3_600_000 }, 'ends-soon', /signed in since .*, until .*: it ends soon: popfetch auth\n/],
    [
      { ended: { why: 'grant', message: 'over: popfetch auth', clientMark: 1 } },
      'ended',
      /ended: over: popfetch auth\n/,
    ],
    [
      { client: 7 },
      'unusable',
      /not usable: reading the sign-in of .*: sign in again: popfetch auth(: see popfetch auth here)?\n/,
    ],
  ]
  for (const [more, state, line] of states) {
    await change(more)
    expect(await person.run('status')).toBe(0)
    expect(person.stdout.text).toMatch(line)
    expect(person.stdout.text).toContain(`${USER} via company (here, out): `)
    expect(await person.run('status', '--json')).toBe(0)
    expect(JSON.parse(person.stdout.text)).toMatchObject({ signIns: [{ ...shared, state }] })
  }
  // What is not to be believed is signed out all the same.
  expect(await person.run('auth', '--sign-out', 'here')).toBe(0)
  expect(await listed()).toMatchObject({ signIns: [{ state: 'none' }] })
})

test('who signs in as another person is told both names, and it is kept', async () => {
  expect(await signIn([], willing('bob@example.org'))).toBe(0)
  expect(person.stderr.text).toMatch(
    /warning: bob@example.org has signed in, and here, out signs in .* as alice@example.org/,
  )
  expect(await listed()).toMatchObject({ signIns: [{ state: 'ok' }] })
})

test('a refusal ends with 77, and nothing is kept', async () => {
  expect(await signIn([], (address) => new Visitor(USER).open(address, { refuse: true }))).toBe(77)
  expect(person.stderr.text).toMatch(
    /popfetch: signing in alice@example.org at company: it was refused \(access_denied/,
  )
  const folder = join(person.home, '.local/state/popfetch/oauth')
  expect((await readdir(folder)).filter((file) => !file.endsWith('.lock'))).toEqual([])
})

test('time that ran out ends with 75', async () => {
  expect(await signIn(['--timeout', '1s'], () => Promise.resolve())).toBe(75)
  expect(person.stderr.text).toMatch(/nobody signed in within 1 s: start again, or wait longer with --timeout/)
})

test('a provider that cannot be reached ends with 75, one that answers nonsense with 76', async () => {
  server.faults.push({ path: '/.well-known', answer: (asked) => void asked.socket.destroy() })
  expect(await person.run('auth')).toBe(75)
  for (let times = 0; times < 2; times++) {
    server.faults.push({ path: '/.well-known', answer: (_asked, response) => void response.end('<html>') })
  }
  expect(await person.run('auth')).toBe(76)
})

test.each([
  [['here2'], /no account is called "here2" \(did you mean "here"\?\); those that sign in with OAuth are here, out/],
  [['plain'], /plain does not sign in with OAuth: it has no token/],
  [['--token', 'plain'], /plain does not sign in with OAuth/],
])('%j is wrong usage', async (words, text) => {
  expect(await person.run('auth', ...words)).toBe(64)
  expect(person.stderr.text).toMatch(text)
  expect(server.journal).toEqual([])
})

test('where nothing signs in with OAuth, that is said', async () => {
  await person.write(
    '.config/popfetch/config.yaml',
    'accounts: { a: { host: h.example, user: u, password: { env: P }, deliver: "maildir:/m" } }\n',
  )
  expect(await person.run('auth', '--list')).toBe(0)
  expect(person.stdout.text).toMatch(/nothing signs in with OAuth/)
  expect(await person.run('auth')).toBe(64)
})

describe('client credentials', () => {
  let secret: AuthorizationServer
  beforeEach(async () => {
    secret = await AuthorizationServer.start({ secret: true })
    const client = `{ issuer: "${secret.issuer}", clientId: ${CLIENT_ID}, clientSecret: { file: secret }, flow: client-credentials, scopes: [mail] }`
    const account = `host: pop.example.org, user: ${USER}, deliver: "maildir:/mail", token: { oauth: company }`
    await person.write(
      '.config/popfetch/config.yaml',
      `oauth: { company: ${client} }\naccounts: { here: { ${account} } }\n`,
    )
    await person.write('.config/popfetch/secret', CLIENT_SECRET)
  })
  afterEach(() => secret[Symbol.asyncDispose]())
  const refuse = (): void => {
    secret.faults.push({
      path: '/token',
      answer: (_asked, response) =>
        void response
          .writeHead(401, { 'content-type': 'application/json' })
          .end('{"error":"invalid_client","error_description":"AADSTS7000112: disabled"}'),
    })
  }

  test('need nobody, and are tried when somebody asks', async () => {
    expect(await person.run('auth')).toBe(0)
    expect(person.stderr.text).toBe('everything is signed in: see popfetch auth --list\n')
    expect(secret.tokenRequests).toBe(0)
    expect(await listed()).toMatchObject({ signIns: [{ state: 'none' }] })
    expect(await person.run('auth', 'here')).toBe(0)
    expect(person.stderr.text).toBe('company signs in by itself (client-credentials), and works (here)\n')
    expect(await person.run('auth', '--token', 'here')).toBe(0)
    expect(secret.tokenRequests).toBe(1)
    expect(await person.run('auth', '--list')).toBe(0)
    expect(person.stdout.text).toMatch(/: signs in by itself since/)
  })

  test('that were refused are asked for no more until somebody asks', async () => {
    refuse()
    for (let times = 0; times < 3; times++) {
      expect(await person.run('auth', '--token', 'here')).toBe(77)
      expect(person.stderr.text).toMatch(
        /refuses the client \(invalid_client, AADSTS7000112: the client is disabled: .*\); once that is corrected at the provider: popfetch auth\n/,
      )
    }
    expect(secret.tokenRequests).toBe(1)
    refuse()
    expect(await person.run('auth')).toBe(77)
    expect(secret.tokenRequests).toBe(2)
    expect(await person.run('auth', '--token', 'here')).toBe(77)
    expect(secret.tokenRequests).toBe(2)
    expect(await person.run('auth')).toBe(0)
    expect(await person.run('auth', '--token', 'here')).toBe(0)
  })

  test('whose file is not to be believed are asked for again when somebody asks', async () => {
    expect(await person.run('auth', 'here')).toBe(0)
    const folder = person.path('.local/state/popfetch/oauth')
    const [name = ''] = (await readdir(folder)).filter((file) => file.endsWith('.json'))
    await writeFile(join(folder, name), 'x')
    expect(await person.run('auth', '--token', 'here')).toBe(77)
    expect(await person.run('auth')).toBe(0)
    expect(await person.run('auth', '--token', 'here')).toBe(0)
  })
})
