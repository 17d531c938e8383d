// How `popfetch init` finds a server, walked through as a person at a terminal of 80 columns does: with a DNS server, a web server and
// POP3 servers of the test's own on loopback, at the ports that are really asked. The resolver is named to the program alone, by
// a resolv.conf of its own. That and the ports need root.
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { createServer as createTcpServer, type Server } from 'node:net'
import { createServer as createHttpsServer } from 'node:https'
import { join, resolve } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { parseText } from '../../src/config/document.ts'
import { Pop3Server, type Pop3ServerOptions } from '../support/pop3-server.ts'
import { makeCertificate, type Certificate } from './certificate.ts'
import { DnsServer, type Zone } from './dns.ts'
import { temporaryDirectory } from './program.ts'
import { type Answer, atTerminal } from './terminal.ts'

const startFile = resolve(process.env['POPFETCH'] ?? join(import.meta.dirname, '../../bin/popfetch.ts'))
const PASSWORD = 'correct horse battery'
const DOMAIN = 'firm.example'

/** Addresses of loopback, one for each machine of this small world. */
const RESOLVER = '127.53.0.1'
const [POP, MAIL, BARE, WEB, OTHER] = ['127.53.0.2', '127.53.0.3', '127.53.0.4', '127.53.0.5', '127.53.0.6'] as const

const scope = new AsyncDisposableStack()
let directory: string
let dns: DnsServer
let good: Certificate
beforeAll(async () => {
  directory = scope.use(await temporaryDirectory()).path
  dns = scope.use(await DnsServer.start(RESOLVER))
  const names = [`pop.${DOMAIN}`, `mail.${DOMAIN}`, DOMAIN, `autoconfig.${DOMAIN}`]
  good = await makeCertificate(directory, names)
  await writeFile(join(directory, 'resolv.conf'), `nameserver ${RESOLVER}\noptions timeout:1 attempts:1\n`)
  await writeFile(
    join(directory, 'start'),
    `set -e\nmount --bind '${directory}/resolv.conf' /etc/resolv.conf\nexec "$@"\n`,
  )
})
afterAll(() => scope.disposeAsync())

let home: string
beforeEach(async () => {
  home = join(directory, 'home')
  await rm(home, { recursive: true, force: true })
  await mkdir(home)
  dns.asked.length = 0
})

type Where = readonly [host: string, port: number, tls: Pop3ServerOptions['tls']]

/** POP3 servers with a mailbox, under a certificate for all names of the domain. */
async function servers(stack: AsyncDisposableStack, ...places: readonly Where[]): Promise<void> {
  const tlsOptions = { cert: await readFile(good.certificateFile), key: await readFile(good.keyFile) }
  for (const [host, port, tls] of places) {
    const server = stack.use(await Pop3Server.start({ host, port, tls: tls ?? 'none', tlsOptions }))
    server.mailbox(`alice@${DOMAIN}`, PASSWORD).add('Subject: 1\n\nbody\n', { uidl: 'u1' })
  }
}

/** A server that accepts connections and says nothing. */
async function silent(stack: AsyncDisposableStack, host: string, port: number): Promise<void> {
  const server: Server = createTcpServer((socket) => void socket.on('error', () => {}))
  await new Promise<void>((done) => void server.listen(port, host, done))
  stack.defer(() => void server.close().unref())
}

/** Enter at whatever is offered, up to the end. */
const END: readonly Answer[] = [
  ['User name there', ''],
  ['Where popfetch gets it', ''],
  [`Password of alice@${DOMAIN}`, PASSWORD],
  ['Where mail goes', ''],
  ['Delete from the server', ''],
  ['already on the server', ''],
  ['Write it to', 'yes'],
]

const LEAVE = '\u0003'

async function init(answers: readonly Answer[], address = `alice@${DOMAIN}`) {
  const env = { PATH: process.env['PATH'], HOME: home, NODE_EXTRA_CA_CERTS: good.caFile }
  const words = ['unshare', '--mount', 'sh', join(directory, 'start'), process.execPath, startFile, 'init']
  const began = performance.now()
  const { code, seen } = await atTerminal(words, { home, env }, [['Mail address:', address], ...answers])
  return { code, seen, said: seen.replaceAll(/\s+/g, ' '), tookMs: performance.now() - began }
}

async function account(): Promise<unknown> {
  const text = await readFile(join(home, '.config/popfetch/config.yaml'), 'utf8')
  return Object.values((parseText(text).root as { accounts: Record<string, unknown> }).accounts)[0]
}

const here: NonNullable<Zone['a']> = { [`pop.${DOMAIN}`]: POP, [`mail.${DOMAIN}`]: MAIL, [DOMAIN]: BARE }
const isServer = (name: string): NonNullable<Zone['a']> =>
  Object.fromEntries(Object.entries(here).filter(([one]) => one === name))

describe('the first that knows is taken on Enter alone', () => {
  test.each<readonly [string, Zone, readonly Where[], string, object]>([
    [
      'SRV of pop3s',
      { a: here, srv: { [`_pop3s._tcp.${DOMAIN}`]: { host: `mail.${DOMAIN}`, port: 1995 } } },
      [[MAIL, 1995, 'implicit']],
      `Found mail.${DOMAIN}:1995, tls: implicit (by DNS)`,
      { host: `mail.${DOMAIN}`, port: 1995 },
    ],
    [
      'SRV of pop3 alone',
      { a: here, srv: { [`_pop3._tcp.${DOMAIN}`]: { host: `mail.${DOMAIN}`, port: 1110 } } },
      [[MAIL, 1110, 'starttls']],
      `Found mail.${DOMAIN}:1110, tls: starttls (by DNS)`,
      { host: `mail.${DOMAIN}`, port: 1110, tls: 'starttls' },
    ],
    [
      'pop. over TLS from the first byte',
      { a: here },
      [[POP, 995, 'implicit']],
      `Found pop.${DOMAIN}:995, tls: implicit (by trying)`,
      { host: `pop.${DOMAIN}` },
    ],
    [
      'mail. over STARTTLS, where only port 110 answers',
      { a: here },
      [[MAIL, 110, 'starttls']],
      `Found mail.${DOMAIN}:110, tls: starttls (by trying)`,
      { host: `mail.${DOMAIN}`, tls: 'starttls' },
    ],
    [
      'the domain itself',
      { a: isServer(DOMAIN) },
      [[BARE, 995, 'implicit']],
      `Found ${DOMAIN}:995, tls: implicit (by trying)`,
      { host: DOMAIN },
    ],
    [
      'pop., where the DNS answers nothing about SRV records',
      { a: here, silent: ['srv'] },
      [[POP, 995, 'implicit']],
      `Found pop.${DOMAIN}:995, tls: implicit (by trying)`,
      { host: `pop.${DOMAIN}` },
    ],
  ])('%s', async (_, zone, places, found, keys) => {
    await using stack = new AsyncDisposableStack()
    dns.zone = zone
    await servers(stack, ...places)
    const { code, seen, said } = await init([['? POP3 server', ''], ['Port and TLS', ''], ...END])
    expect(code, seen).toBe(0)
    expect(said).toContain(found)
    expect(await account()).toMatchObject(keys)
  })

  test('the page of the domain, before the usual names are tried', async () => {
    await using stack = new AsyncDisposableStack()
    dns.zone = { a: { ...here, [`autoconfig.${DOMAIN}`]: WEB } }
    await servers(stack, [MAIL, 1995, 'implicit'], [POP, 995, 'implicit'])
    const page = `<clientConfig><incomingServer type="pop3"><hostname>mail.%EMAILDOMAIN%</hostname><port>1995</port><socketType>SSL</socketType><username>%EMAILADDRESS%</username></incomingServer></clientConfig>`
    const key = { cert: await readFile(good.certificateFile), key: await readFile(good.keyFile) }
    const web = createHttpsServer(key, (_request, response) => void response.end(page))
    await new Promise<void>((done) => void web.listen(443, WEB, done))
    stack.defer(() => {
      web.closeAllConnections()
      web.close()
    })
    const { code, seen, said } = await init([['? POP3 server', ''], ['Port and TLS', ''], ...END])
    expect(code, seen).toBe(0)
    expect(said).toContain(`Found mail.${DOMAIN}:1995, tls: implicit (by autoconfig)`)
  })

  test.each([
    [
      'the table, which is asked before the DNS',
      'x@gmail.com',
      {},
      'Found pop.gmail.com:995, tls: implicit (by table)',
    ],
    [
      'the provider of its MX records',
      `alice@${DOMAIN}`,
      { mx: { [DOMAIN]: 'aspmx.l.google.com' } },
      'Found pop.gmail.com:995, tls: implicit (by MX)',
    ],
  ] as const)('%s', async (_, address, zone, found) => {
    dns.zone = zone
    const { code, said } = await init([['? POP3 server', LEAVE]], address)
    expect(code).toBe(130)
    expect(said).toContain(found)
    if (address.endsWith('@gmail.com')) expect(dns.asked).toEqual([])
  })
})

describe('what is in the way is told', () => {
  test('one that hangs is waited for five seconds at most, and nobody else for it', async () => {
    await using stack = new AsyncDisposableStack()
    dns.zone = { a: here }
    await silent(stack, POP, 995)
    await silent(stack, POP, 110)
    await servers(stack, [MAIL, 995, 'implicit'])
    const { code, seen, said, tookMs } = await init([['? POP3 server', LEAVE]])
    expect(code, seen).toBe(130)
    expect(said).toContain(`Found mail.${DOMAIN}:995`)
    expect(tookMs).toBeLessThan(20_000)
  })

  test('one whose certificate is for another name: its names and SHA-256 are shown, and another server can be named', async () => {
    await using stack = new AsyncDisposableStack()
    dns.zone = { a: { [`pop.${DOMAIN}`]: OTHER, [`mail.${DOMAIN}`]: MAIL } }
    await using there = await temporaryDirectory()
    const hoster = await makeCertificate(there.path, ['pop.hoster.example', '*.hoster.example'])
    const tlsOptions = { cert: await readFile(hoster.certificateFile), key: await readFile(hoster.keyFile) }
    stack.use(await Pop3Server.start({ host: OTHER, port: 995, tls: 'implicit', tlsOptions }))
    await servers(stack, [MAIL, 1995, 'implicit'])
    const { code, seen, said } = await init([
      ['? POP3 server', ''],
      ['Port and TLS', ''],
      ['Trust it', 'another'],
      ['? POP3 server', `mail.${DOMAIN}`],
      ['Port and TLS', '1995 implicit'],
      ...END,
    ])
    expect(code, seen).toBe(0)
    expect(said).toContain(`The certificate of pop.${DOMAIN} is not trusted here`)
    expect(said).toContain('pop.hoster.example')
    expect(said.replaceAll(' ', '')).toContain(hoster.fingerprint.replaceAll(':', '').toLowerCase())
    expect(await account()).toMatchObject({ host: `mail.${DOMAIN}`, port: 1995 })
  })

  test('one that has no TLS: it is not taken, but told, and can be typed', async () => {
    await using stack = new AsyncDisposableStack()
    dns.zone = { a: isServer(`mail.${DOMAIN}`) }
    await servers(stack, [MAIL, 110, 'none'])
    const { code, seen, said } = await init([['? POP3 server', `mail.${DOMAIN}`], ['Port and TLS', '110 none'], ...END])
    expect(code, seen).toBe(0)
    expect(said).toContain(`mail.${DOMAIN} answers on port 110, but without TLS`)
    expect(await account()).toMatchObject({ host: `mail.${DOMAIN}`, tls: 'none' })
  })

  test('nobody answers: what was tried is said, and another name can be typed', async () => {
    await using stack = new AsyncDisposableStack()
    dns.zone = { a: { [`in.${DOMAIN}`]: OTHER } }
    await servers(stack, [OTHER, 2110, 'none'])
    const { code, seen, said } = await init([['? POP3 server', `in.${DOMAIN}`], ['Port and TLS', '2110 none'], ...END])
    expect(code, seen).toBe(0)
    expect(said).toContain(`no POP3 server was found for alice@${DOMAIN}`)
    expect(said).toContain(`pop.${DOMAIN}, mail.${DOMAIN} and ${DOMAIN} do not answer on ports 995 and 110`)
    expect(said).toContain(`no POP3 server answers at in.${DOMAIN} on ports 995 and 110`)
  })

  test('only the DNS leads out of the domain: that name is not taken on Enter alone', async () => {
    dns.zone = { srv: { [`_pop3s._tcp.${DOMAIN}`]: { host: 'pop.mallory.example', port: 995 } } }
    const { code, said } = await init([['? POP3 server:', LEAVE]])
    expect(code).toBe(130)
    expect(said).toContain('pop.mallory.example, which is outside its domain')
  })

  test('the DNS does not answer', async () => {
    dns.zone = { silent: ['a', 'srv', 'mx', 'other'] }
    const { code, said } = await init([['? POP3 server:', LEAVE]])
    expect(code).toBe(130)
    expect(said).toContain('the DNS does not answer; is this machine online?')
  })
})
