// No secret in any output (P6). A marked secret is in every place where a secret can be. A server or program repeats it in
// every place and form it can. Then everything that popfetch wrote anywhere is read.
import { spawn } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { once } from 'node:events'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { loadConfiguration } from '../../src/config/load.ts'
import { notifyRound } from '../../src/daemon/notify/notify.ts'
import { readBriefly } from '../../src/status/facts.ts'
import { NO_DAEMON, statusOf } from '../../src/status/status.ts'
import { openLedger } from '../../src/ledger/sqlite/open.ts'
import { silentLog } from '../../src/log.ts'
import { BIN, CACHE, ended } from '../cli/child.ts'
import { FORMS, tracesIn } from './forms.ts'
import { namedCertificate } from './named-certificate.ts'
import { Hostiles, POP3_PLACES, SMTP_PLACES } from './hostile.ts'

interface Marked {
  readonly account: string
  readonly secret: string
}

const directory = mkdtempSync(join(tmpdir(), 'popfetch-security-'))
const secretsDirectory = mkdtempSync(join(tmpdir(), 'popfetch-security-sources-'))
const hostiles = new Hostiles()
const marked: Marked[] = []
const env: Record<string, string> = {}
const accounts: Record<string, object> = {}
const destinations: Record<string, object> = { inbox: { type: 'maildir', path: 'Mail' } }
/** What every command printed, by its words. */
const printed = new Map<string, string>()
/** Mail is delivered as it came, whatever is in it. */
destinations['elsewhere'] = { type: 'maildir', path: join(secretsDirectory, 'Mail') }
let httpPort = 0

/** A secret that is like no other: letters, digits, and signs that escapes change. */
function newSecret(isToken: boolean): string {
  const n = String(marked.length).padStart(3, '0')
  const digits = Buffer.from(`${n}${n}`).toString('base64url')
  return `Mk${digits}${n}q/+${isToken ? '.~' : '%&"='}zZK${n}v!x${digits}`.replaceAll(isToken ? '!' : '\0', '')
}

/** A source of the secret, another kind for each. */
function source(secret: string): string | object {
  const n = marked.length
  const file = join(secretsDirectory, `s${n}`)
  writeFileSync(file, `${secret}\n`, { mode: 0o600 })
  env[`SECRET_${n}`] = secret
  const kinds = [secret, { env: `SECRET_${n}` }, { file }, { command: ['cat', file] }, { credential: `s${n}` }]
  return kinds[n % kinds.length] ?? secret
}

function mark(account: string, isToken = false): { readonly secret: string; readonly written: string | object } {
  const secret = newSecret(isToken)
  const written = source(secret)
  marked.push({ account, secret })
  return { secret, written }
}

const usual = {
  host: '127.0.0.1',
  tls: 'none',
  user: 'user',
  deliver: 'inbox',
  delete: 'after-delivery',
  timeout: '20s',
}
const AUTH: Readonly<Record<string, string>> = { AUTH: 'plain', USER: 'user', PASS: 'user', nonsense: 'user' }

async function furnish(): Promise<void> {
  const name = (...parts: readonly string[]): string => parts.join('.').replaceAll(/[^A-Za-z0-9.]/g, '-')
  const forms = Object.entries(FORMS)
  for (const [index, place] of POP3_PLACES.entries()) {
    // A third of the forms at each place, every form at several: display.test.ts and redact.test.ts have them all.
    for (const [form, say] of forms.filter(([name], at) => name === 'plain' || (at + index) % 3 === 0)) {
      const account = name('pop3', place, form)
      const { secret, written } = mark(account, place === 'challenge')
      const port = await hostiles.pop3(place, say(secret))
      const key = place === 'challenge' ? { token: written, auth: 'xoauth2' } : { password: written }
      const deliver = place === 'header' ? 'elsewhere' : 'inbox'
      accounts[account] = { ...usual, port, auth: AUTH[place] ?? 'auto', ...key, deliver }
    }
  }
  const honest = await hostiles.pop3(null)
  for (const [index, place] of SMTP_PLACES.entries()) {
    for (const [step, type] of [
      [0, 'smtp'],
      [5, 'smtp'],
      [10, 'smtp'],
      [13, 'smtp'],
      [7, 'lmtp'],
    ] as const) {
      const [form, say] = forms[(index + step) % forms.length] ?? ['plain', String]
      const account = name(type, place, form)
      const { secret, written } = mark(account)
      const port = await hostiles.smtp(place, say(secret))
      destinations[account] = {
        type,
        host: '127.0.0.1',
        port,
        tls: 'none',
        user: 'u',
        password: written,
        to: 'a@example.org',
      }
      accounts[account] = { ...usual, port: honest, password: 'honest-server', deliver: account }
    }
  }
  await furnishNames()
  for (const [form, say] of forms) {
    const spoken = name('token', form)
    const { secret: token } = mark(spoken, true)
    // It gives the token, and then fails: nobody has signed in with it, and only its output tells that it is one.
    const script = 'printf "%s" "$1"; printf "%s" "$2" >&2; exit 3'
    const run = ['/bin/sh', '-c', script, 'sh', token, say(token)]
    accounts[spoken] = { ...usual, port: honest, token: { command: run }, auth: 'xoauth2' }
  }
  for (const [form, say] of forms) {
    const account = name('command', form)
    const { secret, written } = mark(account)
    const port = await hostiles.pop3(null)
    const run = ['/bin/sh', '-c', 'printf "%s" "$1" >&2; exit 75', 'sh', say(secret)]
    destinations[account] = { type: 'command', run }
    accounts[account] = { ...usual, port, password: written, deliver: account }
    const proxied = name('proxy', form)
    const { secret: proxySecret } = mark(proxied)
    const proxyPort = await hostiles.proxy(say(proxySecret))
    const proxy = `http://u:${encodeURIComponent(proxySecret)}@127.0.0.1:${proxyPort}`
    accounts[proxied] = { ...usual, port: honest, password: 'honest-server', proxy }
  }
}

/** Names in certificates: of one that nobody trusts, of one with other names than the server's, and of one that is not pinned. */
async function furnishNames(): Promise<void> {
  for (const [form, words] of Object.entries({
    plain: (secret: string) => secret,
    base64: (secret: string) => Buffer.from(secret).toString('base64'),
    percent: (secret: string) => encodeURIComponent(secret).replaceAll('%', '='),
  })) {
    for (const why of ['untrusted', 'name', 'pin']) {
      const account = `certificate.${why}.${form}`
      const { secret, written: key } = mark(account)
      const certificate = namedCertificate(words(secret), Date.now())
      const ca = join(secretsDirectory, `${account}.pem`)
      writeFileSync(ca, certificate.cert)
      const trust = why === 'name' ? { ca } : why === 'pin' ? { pin: 'ab'.repeat(32) } : {}
      const tls = { host: '127.0.0.1', tls: 'implicit', ...trust }
      const port = await hostiles.pop3(null, '', certificate)
      accounts[account] = { ...usual, ...tls, port, password: key }
      const next = `smtp.${account}`
      const { secret: other, written: otherKey } = mark(next)
      const otherCertificate = namedCertificate(words(other), Date.now())
      writeFileSync(ca, certificate.cert + otherCertificate.cert)
      const smtpPort = await hostiles.smtp(null, '', otherCertificate)
      destinations[next] = { type: 'smtp', ...tls, port: smtpPort, user: 'u', password: otherKey, to: 'a@example.org' }
      accounts[next] = { ...usual, port: await hostiles.pop3(null), password: 'honest-server', deliver: next }
    }
  }
}

async function popfetch(...args: readonly string[]): Promise<void> {
  const own = { PATH: process.env['PATH'], HOME: directory, XDG_STATE_HOME: directory, XDG_CONFIG_HOME: directory }
  const child = spawn(process.execPath, [BIN, '--config', join(directory, 'config.json'), ...args], {
    cwd: directory,
    env: { ...own, ...env, NODE_COMPILE_CACHE: CACHE, CREDENTIALS_DIRECTORY: secretsDirectory },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const { stdout, stderr, code } = await ended(child)
  printed.set(args.join(' '), `${stdout}\n${stderr}\nexit ${code}`)
}

beforeAll(async () => {
  await furnish()
  const free = createServer().listen(0, '127.0.0.1')
  await once(free, 'listening')
  const address = free.address()
  httpPort = typeof address === 'object' && address !== null ? address.port : 0
  free.close()
  const daemon = { http: `127.0.0.1:${httpPort}` }
  const log = { file: 'popfetch.log', level: 'trace' }
  const configuration = { accounts, destinations, state: 'state.db', log, daemon }
  writeFileSync(join(directory, 'config.json'), JSON.stringify(configuration), { mode: 0o600 })
  await popfetch('--log-file', 'first.log', '--log-level', 'trace', '--json')
  await popfetch('--verbose', '--log-level', 'trace')
  await popfetch('--daemon')
  await popfetch('--json', 'pop3.PASS.plain', 'command.HTML')
  printed.set('metrics', await (await fetch(`http://127.0.0.1:${httpPort}/metrics`)).text())
  await popfetch('status', '--json')
  await popfetch('stop')
  await popfetch('status')
  await popfetch('status', '--json', '--log-level', 'trace')
  await popfetch('state', 'list', 'pop3.RETR.plain')
  await popfetch('state', 'explain', 'pop3.RETR.plain', 'u1')
  await popfetch('state', 'export')
  await popfetch('state', 'backup', join(directory, 'backup.db'))
  await popfetch('config', 'show')
  await popfetch('config', 'check')
  await popfetch('check', '--verbose')
  await tellProblems()
}, 300_000)

/** As the daemon does it after a while: the program that is told writes down what it was told. */
async function tellProblems(): Promise<void> {
  await using ledger = await openLedger(join(directory, 'state.db'))
  const { signal } = new AbortController()
  const run = ['/bin/sh', '-c', `env > '${directory}/problem.'"$POPFETCH_EVENT"`]
  const configuration = await loadConfiguration({
    file: 'config.json',
    state: null,
    env: {},
    cwd: directory,
    uid: process.getuid?.() ?? 0,
  })
  const told = { ...configuration, daemon: { ...configuration.daemon, onProblem: run, alertAfterMs: 0 } }
  const known = { nowMs: Date.now(), configured: Object.keys(accounts), signIns: [], daemon: NO_DAEMON }
  const status = statusOf(await readBriefly(ledger, known))
  const context = { ledger, log: silentLog, env: { PATH: '/usr/bin:/bin' }, nowMs: Date.now, signal }
  await notifyRound({ configuration: told, status, reports: [], pings: false }, context)
}

afterAll(async () => {
  await hostiles[Symbol.asyncDispose]()
  rmSync(directory, { recursive: true, force: true })
  rmSync(secretsDirectory, { recursive: true, force: true })
})

/** Each file that popfetch made, as text: bytes are read as they are. */
function written(): readonly (readonly [string, string])[] {
  return readdirSync(directory, { recursive: true, encoding: 'utf8' })
    .filter((name) => name !== 'config.json' && statSync(join(directory, name)).isFile())
    .flatMap((name) => {
      const bytes = readFileSync(join(directory, name))
      return [[name, bytes.toString('utf8')] as const, [`${name} in latin1`, bytes.toString('latin1')] as const]
    })
}

/** `account: form in place` for each trace of a secret in these texts. */
function found(texts: Iterable<readonly [string, string]>): readonly string[] {
  return [...texts].flatMap(([place, text]) =>
    marked.flatMap(({ account, secret }) => tracesIn(text, secret).map((form) => `${account}: ${form} in ${place}`)),
  )
}

describe('of a secret that servers and programs repeat', () => {
  test('the ledger, its journal and its backup, the logs and the mail hold no trace', () => {
    const files = written()
    expect(files.map(([name]) => name)).toEqual(
      expect.arrayContaining(['state.db', 'first.log', 'popfetch.log', 'backup.db', 'problem.problem']),
    )
    expect(found(files)).toEqual([])
  })

  test('standard output, standard error, the control socket and the metrics show no trace', () => {
    expect(found(printed)).toEqual([])
  })

  // A UIDL has a stand-in. A listing is never shown, STAT not asked, and what a server says at its end is of no use.
  const unheard = new Set<string>(['pop3.header', 'pop3.listing', 'pop3.ids', 'pop3.STAT', 'smtp.QUIT'])
  const places = [...POP3_PLACES.map((place) => `pop3.${place}`), ...SMTP_PLACES.map((place) => `smtp.${place}`)]
  test.each(
    [...places, 'lmtp.dot', 'command', 'token', 'certificate.name', 'smtp.certificate.name', 'proxy'].filter(
      (place) => !unheard.has(place),
    ),
  )('the words around it are kept: %s', (place) => {
    const texts = [...printed.values(), ...written().map(([, text]) => text)]
    // One object of JSON has all accounts in one line.
    const lines = texts.flatMap((text) => text.split(/\n|(?="account":)/))
    expect(lines.some((line) => line.includes(`${place}.`) && line.includes('****'))).toBe(true)
  })
})
