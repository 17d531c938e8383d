// `popfetch init` on a real terminal for an address whose provider takes nothing but tokens. It explains how to get a client, asks for
// it, signs in, tries the mailbox and writes the file. The provider is Microsoft by its own addresses, which a proxy leads here.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createServer as createHttp } from 'node:http'
import { createServer as createHttps } from 'node:https'
import { connect } from 'node:net'
import type { AddressInfo } from 'node:net'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { ca } from '../support/certificates.ts'
import { Pop3Server } from '../support/pop3-server.ts'
import { openDesk } from './popfetch.ts'
import { START } from './popfetch-auth.ts'
import { findProgram, runProgram } from './program.ts'

const USER = 'dora@outlook.com'
const TOKEN = 'EwBg-a-token-of-tests'

/** Answers each prompt when it comes; prints all that was shown. */
const TYPIST = `
import json, os, pty, re, select, sys
answers = json.loads(sys.argv[1])
pid, terminal = pty.fork()
if pid == 0: os.execvp(sys.argv[2], sys.argv[2:])
seen = done = ''
while True:
    ready, _, _ = select.select([terminal], [], [], 40)
    if not ready:
        os.kill(pid, 9)
        break
    try: chunk = os.read(terminal, 65536).decode('utf8', 'replace')
    except OSError: break
    if not chunk: break
    seen += chunk; done += chunk
    if answers and re.search(answers[0][0], done):
        os.write(terminal, (answers.pop(0)[1] + '\\n').encode())
        done = ''
print(seen)
print('left:', json.dumps(answers))
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
`

function portOf(server: { address(): AddressInfo | string | null }): number {
  const address = server.address()
  return typeof address === 'object' && address !== null ? address.port : 0
}

test('init explains, signs in, tries the mailbox and writes the file', async () => {
  const python = await findProgram('python3', 'python3')
  const openssl = await findProgram('openssl', 'openssl')
  await using desk = await openDesk()
  const at = (name: string): string => join(desk.directory, name)
  const subject = ['-subj', '/CN=login.microsoftonline.com', '-addext', 'subjectAltName=DNS:login.microsoftonline.com']
  const key = [
    '-newkey',
    'ec',
    '-pkeyopt',
    'ec_paramgen_curve:P-256',
    '-nodes',
    '-keyout',
    at('key'),
    '-out',
    at('pem'),
  ]
  await runProgram(openssl, ['req', '-x509', ...key, '-days', '2', ...subject], desk.directory)
  const certificate = await readFile(at('pem'), 'utf8')
  await writeFile(at('ca'), certificate + ca)

  const asked: string[] = []
  const microsoft = createHttps({ cert: certificate, key: await readFile(at('key'), 'utf8') }, (request, response) => {
    let body = ''
    request.setEncoding('utf8').on('data', (chunk: string) => (body += chunk))
    request.on('end', () => {
      asked.push(`${request.url} ${body}`)
      const begun = {
        device_code: 'a-device-code',
        user_code: 'ABCD-EFGH',
        verification_uri: 'https://microsoft.com/devicelogin',
        expires_in: 900,
        interval: 1,
      }
      const idToken = `e30.${Buffer.from(JSON.stringify({ email: USER })).toString('base64url')}.x`
      const tokens = {
        access_token: TOKEN,
        refresh_token: 'M.R3-a-refresh-token',
        token_type: 'Bearer',
        expires_in: 3600,
      }
      response.writeHead(200, { 'content-type': 'application/json' })
      response.end(JSON.stringify(request.url?.endsWith('/devicecode') ? begun : { ...tokens, id_token: idToken }))
    })
  })
  await once(microsoft.listen(0, '127.0.0.1'), 'listening')
  const tlsPort = portOf(microsoft)
  const proxy = createHttp().on('connect', (_request, socket) => {
    const onward = connect(tlsPort, '127.0.0.1', () => {
      socket.write('HTTP/1.1 200 OK\r\n\r\n')
      onward.pipe(socket).pipe(onward)
    })
    onward.on('error', () => socket.destroy())
    socket.on('error', () => onward.destroy())
  })
  await once(proxy.listen(0, '127.0.0.1'), 'listening')
  await using mailbox = await Pop3Server.start({ tls: 'implicit', certificate: 'good' })
  mailbox.mailbox(USER, TOKEN).add('Subject: x\r\n\r\nx\r\n')
  mailbox.capabilities = { before: ['SASL XOAUTH2'], afterTls: ['SASL XOAUTH2'], afterLogin: ['UIDL'] }
  try {
    const answers = [
      ['POP3 server', 'localhost'],
      ['User name', ''],
      ['Client id', '01234567-89ab-cdef-0123-456789abcdef'],
      ['Where mail goes', 'maildir:~/Mail'],
      ['Delete', ''],
      ['already', ''],
      ['Write', 'y'],
    ]
    const words = ['init', '--address', USER, '--port', String(mailbox.port), '--config', at('new.yaml')]
    const child = spawn(
      python,
      ['-c', TYPIST, JSON.stringify(answers), process.execPath, START, ...words, '--state', at('state.db')],
      {
        cwd: desk.directory,
        stdio: ['ignore', 'pipe', 'inherit'],
        env: {
          PATH: process.env['PATH'],
          HOME: at('home'),
          TERM: 'dumb',
          NODE_EXTRA_CA_CERTS: at('ca'),
          HTTPS_PROXY: `http://127.0.0.1:${portOf(proxy)}`,
        },
      },
    )
    let shown = ''
    child.stdout.setEncoding('utf8').on('data', (chunk: string) => (shown += chunk))
    const [code] = (await once(child, 'close')) as readonly unknown[]
    if (!shown.includes('left: []')) console.log(shown)
    expect(shown).toContain('left: []')
    expect(code).toBe(0)
    // Lines are broken for the terminal.
    const joined = shown.replaceAll(/\s+/g, ' ')
    const order = [
      'Microsoft gives tokens to a client of your own: register one at https://entra.microsoft.com',
      'Client id',
      'open this address in any browser, and type the code:',
      'https://microsoft.com/devicelogin',
      'code: ABCD-EFGH',
      `signed in: ${USER} via microsoft`,
      'signed in: 1 message on the server',
      'Wrote ',
    ].map((text) => joined.indexOf(text.trim()))
    expect(order).toEqual(order.toSorted((a, b) => a - b))
    expect(order[0]).toBeGreaterThan(-1)
    expect(asked[0]).toMatch(/^\/common\/oauth2\/v2\.0\/devicecode .*POP\.AccessAsUser\.All.*offline_access/)
    expect(asked).toHaveLength(2)
    expect(shown).not.toContain(TOKEN)
    const written = await readFile(at('new.yaml'), 'utf8')
    expect(written).toMatch(/oauth: microsoft/)
    expect(written).not.toContain(TOKEN)
  } finally {
    for (const server of [microsoft, proxy]) {
      server.closeAllConnections()
      server.close()
    }
  }
})
