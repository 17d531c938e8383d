// The server's half of SASL mechanisms for the fakes (RFC 5034, RFC 4616, RFC 5802 …). A mechanism is a generator: it yields
// challenges, is given the decoded responses, and returns who signed in with what. A further mechanism is a further entry.
import { createHash, createHmac, pbkdf2Sync, type BinaryLike } from 'node:crypto'

export interface Claim {
  readonly user: string
  /** Does this password prove it? */
  readonly proves: (password: string) => boolean
}

/** The first challenge is skipped when the client sent an initial response. `passwordOf`: what the server knows itself. */
export type Mechanism = (passwordOf: (user: string) => string | undefined) => Generator<string, Claim | null, string>

function* plain(): Generator<string, Claim | null, string> {
  const parts = (yield '').split('\0')
  const [authorization = '', user = '', sent = ''] = parts
  if (parts.length !== 3 || user === '' || (authorization !== '' && authorization !== user)) return null
  return { user, proves: (password) => password === sent }
}

function* login(): Generator<string, Claim | null, string> {
  const user = yield 'Username:'
  const sent = yield 'Password:'
  return { user, proves: (password) => password === sent }
}

function* cramMd5(): Generator<string, Claim | null, string> {
  const challenge = '<1896.697170952@postoffice.example.net>'
  const [, user = '', digest] = /^(.*) ([0-9a-f]{32})$/s.exec(yield challenge) ?? []
  return { user, proves: (password) => createHmac('md5', password).update(challenge).digest('hex') === digest }
}

/** What a SCRAM server may do wrong (P071). */
export interface ScramFaults {
  readonly iterations?: number
  readonly nonce?: (client: string) => string
  readonly final?: (signature: string) => string
}

export function scram(hash: 'sha1' | 'sha256', faults: ScramFaults = {}): Mechanism {
  const hmac = (key: BinaryLike, text: BinaryLike): Buffer => createHmac(hash, key).update(text).digest()
  return function* (passwordOf) {
    const [, bare = '', name = '', theirs = ''] = /^n,,(n=([^,]*),r=([^,]+))$/.exec(yield '') ?? []
    const user = name.replaceAll('=2C', ',').replaceAll('=3D', '=')
    const nonce = faults.nonce?.(theirs) ?? `${theirs}3rfcNHYJY1ZVvWVs7j`
    const salt = Buffer.from('a salt of the server')
    const iterations = faults.iterations ?? 4096
    const first = `r=${nonce},s=${salt.toString('base64')},i=${iterations}`
    const [, withoutProof = '', proof = ''] = /^(c=biws,r=[^,]+),p=([A-Za-z0-9+/=]+)$/.exec(yield first) ?? []
    const password = passwordOf(user) ?? ''
    const salted = pbkdf2Sync(password, salt, iterations, hash === 'sha1' ? 20 : 32, hash)
    const exchanged = `${bare},${first},${withoutProof}`
    const stored = createHash(hash).update(hmac(salted, 'Client Key')).digest()
    const clientKey = Buffer.from(proof, 'base64').map((byte, at) => byte ^ (hmac(stored, exchanged)[at] ?? 0))
    if (!createHash(hash).update(clientKey).digest().equals(stored)) return null
    const signature = hmac(hmac(salted, 'Server Key'), exchanged).toString('base64')
    const end = yield faults.final?.(signature) ?? `v=${signature}`
    return end === '' ? { user, proves: (known) => known === password } : null
  }
}

/** A token is the mailbox's password. `identity`: how the first field names the user; `close`: what the client must say to
 *  an explanation (RFC 7628 section 3.2.3). */
function bearer(identity: RegExp, close: string): Mechanism {
  return function* (passwordOf) {
    const fields = (yield '').split('\x01')
    const [, name = ''] = identity.exec(fields[0] ?? '') ?? []
    const user = name.replaceAll('=2C', ',').replaceAll('=3D', '=')
    const token = fields.find((field) => field.startsWith('auth=Bearer '))?.slice('auth=Bearer '.length)
    const isWhole = fields.at(-1) === '' && fields.at(-2) === ''
    if (isWhole && passwordOf(user) === token) return { user, proves: (known) => known === token }
    const explained = yield '{"status":"401","schemes":"bearer","scope":"https://mail.example.net/"}'
    if (explained !== close) throw new Error(`an explanation was answered ${JSON.stringify(explained)}`)
    return null
  }
}

export function defaultMechanisms(): Map<string, Mechanism> {
  return new Map<string, Mechanism>([
    ['PLAIN', plain],
    ['LOGIN', login],
    ['CRAM-MD5', cramMd5],
    ['SCRAM-SHA-1', scram('sha1')],
    ['SCRAM-SHA-256', scram('sha256')],
    ['XOAUTH2', bearer(/^user=(.+)$/, '')],
    ['OAUTHBEARER', bearer(/^n,a=([^,]+),$/, '\x01')],
  ])
}

/** Strict base64 of UTF-8; null for anything else. `=` is the empty initial response (RFC 5034 section 4). */
export function decodeResponse(text: string): string | null {
  if (text === '=' || text === '') return ''
  const bytes = Buffer.from(text, 'base64')
  return bytes.toString('base64') === text ? bytes.toString('utf8') : null
}
