// The browser of the person: opened where there is a display, left alone afterwards.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { delimiter } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { browserOf } from '../../../../src/cli/open/browser.ts'
import { AuthorizationServer, CLIENT_ID, Visitor } from '../../../support/authorization-server.ts'
import { BIN, CACHE } from '../../child.ts'
import { Person } from '../../person.ts'

const USER = 'alice@example.org'
let person: Person
let server: AuthorizationServer
beforeEach(async () => {
  person = await Person.arrive()
  server = await AuthorizationServer.start()
  const client = `{ issuer: "${server.issuer}", clientId: ${CLIENT_ID}, scopes: [openid, email, mail] }`
  const account = `host: pop.example.org, user: ${USER}, deliver: "maildir:/mail", token: { oauth: company }`
  await person.write(
    '.config/popfetch/config.yaml',
    `oauth: { company: ${client} }\naccounts: { here: { ${account} } }\n`,
  )
  // As the browser does when none runs yet: it stays. `$0.pid` is there when the address is.
  const browser = '#!/bin/sh\nprintf %s "$1" > "$0.address"; echo $$ > "$0.pid"\nexec sleep 600\n'
  await person.write('bin/xdg-open', browser, 0o700)
})
afterEach(async () => {
  await server[Symbol.asyncDispose]()
  await person[Symbol.asyncDispose]()
})

async function written(name: string): Promise<string> {
  for (;;) {
    const text = await readFile(person.path('bin', name), 'utf8').catch(() => '')
    if (text !== '') return text.trim()
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
}

/** `popfetch auth` as a process. */
function start(more: Readonly<Record<string, string>>, ...words: readonly string[]) {
  const env = { ...person.env, NODE_COMPILE_CACHE: CACHE, ...more }
  const child = spawn(process.execPath, [BIN, 'auth', '--browser', ...words], {
    env,
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  let said = ''
  child.stderr.setEncoding('utf8').on('data', (chunk: string) => (said += chunk))
  return { child, said: () => said, ended: once(child, 'close') as Promise<[number | null]> }
}

test.each([{ DISPLAY: ':0' }, { WAYLAND_DISPLAY: 'wayland-0' }])(
  'opens with %j, and outlives popfetch',
  async (display) => {
    const { said, ended } = start({ ...display, PATH: `${person.path('bin')}${delimiter}${person.env['PATH'] ?? ''}` })
    const pid = Number(await written('xdg-open.pid'))
    try {
      const address = await written('xdg-open.address')
      expect(said()).toContain(`a browser opens; if none does, open this address:\n${address}\n`)
      expect(said()).not.toContain('ssh -N')
      await new Visitor(USER).open(address)
      expect(await ended).toEqual([0, null])
      // It is the person's.
      expect(process.kill(pid, 0)).toBe(true)
    } finally {
      process.kill(pid, 'SIGKILL')
    }
  },
)

test('stays open when the person ends popfetch', async () => {
  const { child, ended } = start({
    DISPLAY: ':0',
    PATH: `${person.path('bin')}${delimiter}${person.env['PATH'] ?? ''}`,
  })
  const pid = Number(await written('xdg-open.pid'))
  try {
    child.kill('SIGINT')
    await ended
    expect(process.kill(pid, 0)).toBe(true)
  } finally {
    process.kill(pid, 'SIGKILL')
  }
})

test.each([
  ['there is no display', {}],
  ['the person is elsewhere', { DISPLAY: ':10', SSH_CONNECTION: '192.0.2.1 5 192.0.2.2 22' }],
])('is not opened where %s', (_why, env) => {
  expect(browserOf({ env })).toBeNull()
})

test('is not opened with --no-open, and one that is not there is no failure', async () => {
  const quiet = start({ DISPLAY: ':0', PATH: person.path('bin') }, '--no-open')
  while (!/^ssh .*\n/m.test(quiet.said())) await new Promise((resolve) => setTimeout(resolve, 5))
  quiet.child.kill('SIGTERM')
  await quiet.ended
  await expect(readFile(person.path('bin', 'xdg-open.pid'))).rejects.toThrow(/ENOENT/)

  const { said, ended } = start({ DISPLAY: ':0', PATH: person.path('nowhere') })
  while (!/^http.*\n/m.test(said())) await new Promise((resolve) => setTimeout(resolve, 5))
  await new Visitor(USER).open(/^http.*$/m.exec(said())?.[0] ?? '')
  expect(await ended).toEqual([0, null])
})
