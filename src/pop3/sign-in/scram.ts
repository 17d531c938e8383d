// The mechanisms SCRAM-SHA-256 and SCRAM-SHA-1 (RFC 5802, RFC 7677), without channel binding. The password never leaves this
// program, and the server has to prove that it knows it too. The one rule: without its proof no `+OK` counts as success
// (P071, unproven servers).
import { createHash, createHmac, pbkdf2, randomBytes, timingSafeEqual } from 'node:crypto'
import { promisify } from 'node:util'
import { display } from '../../display.ts'
import {
  type Answer,
  type Credentials,
  misplaced,
  opaqueString,
  type SaslExchange,
  type SaslMechanism,
  secretIn,
} from './mechanism.ts'

const derive = promisify(pbkdf2)

/** With fewer iterations, whoever steals the server's table can guess too fast (RFC 7677 §4). */
const LEAST_ITERATIONS = 4096
/** With more, a server could keep us busy. */
const MOST_ITERATIONS = 1_000_000

/** gs2-header: no channel binding, no other identity (RFC 5802 §7). */
const GS2 = 'n,,'
const GS2_IN_BASE64 = 'biws'

const SERVER_FIRST =
  /^r=([\x21-\x2b\x2d-\x7e]+),s=((?:[A-Za-z0-9+/]{4})+|[A-Za-z0-9+/]+={1,2}),i=([1-9]\d{0,9})(?:,[^\0]*)?$/

export type Hash = 'sha1' | 'sha256'

const OCTETS: Readonly<Record<Hash, number>> = { sha1: 20, sha256: 32 }

const properties = {
  kind: 'sasl',
  secret: 'password',
  withoutTls: 'tests guesses',
  advice: () => 'check user and password; a server that keeps passwords in another form needs auth: plain',
} as const

export const scramSha256 = {
  ...properties,
  name: 'scram-sha-256',
  rank: 40,
  begin: (credentials) => scram('sha256', credentials),
} as const satisfies SaslMechanism

export const scramSha1 = {
  ...properties,
  name: 'scram-sha-1',
  rank: 30,
  begin: (credentials) => scram('sha1', credentials),
} as const satisfies SaslMechanism

/** `nonce`: printable, without a comma; tests pass the nonce of an RFC's example. */
export function scram(hash: Hash, credentials: Credentials, nonce = randomBytes(24).toString('base64')): SaslExchange {
  return new Scram(hash, credentials, nonce)
}

class Scram implements SaslExchange {
  readonly initial: Buffer
  /** The first, the final, and the empty one that acknowledges the server's proof. */
  readonly messages = 3
  readonly #hash: Hash
  readonly #password: string
  readonly #nonce: string
  readonly #first: string
  #step: 'first' | 'final' | 'over' = 'first'
  #proof: Buffer = Buffer.alloc(0)
  #complaint: string | null = null

  constructor(hash: Hash, credentials: Credentials, nonce: string) {
    this.#hash = hash
    this.#password = opaqueString(secretIn(credentials))
    this.#nonce = nonce
    const name = credentials.user.normalize('NFC').replaceAll('=', '=3D').replaceAll(',', '=2C')
    this.#first = `n=${name},r=${nonce}`
    this.initial = Buffer.from(GS2 + this.#first)
  }

  get complaint(): string | null {
    return this.#complaint
  }

  async answer(challenge: Buffer): Promise<Answer> {
    switch (this.#step) {
      case 'first':
        // The server ignored the message that came along with AUTH (P065): send it again.
        return challenge.length === 0 ? this.initial : await this.#prove(challenge.toString('utf8'))
      case 'final':
        return this.#verify(challenge.toString('utf8'))
      case 'over':
        return misplaced
    }
  }

  async #prove(serverFirst: string): Promise<Answer> {
    const [, nonce = '', salt = '', count = ''] = SERVER_FIRST.exec(serverFirst) ?? []
    if (nonce === '') return misplaced
    if (!nonce.startsWith(this.#nonce) || nonce.length === this.#nonce.length) {
      return { cancel: 'it answered with a number that is not made from ours, as an attacker on the way would' }
    }
    const iterations = Number(count)
    if (iterations < LEAST_ITERATIONS || iterations > MOST_ITERATIONS) {
      return { cancel: `it asks for ${count} iterations, not ${LEAST_ITERATIONS} to ${MOST_ITERATIONS}` }
    }
    const hash = this.#hash
    const salted = await derive(this.#password, Buffer.from(salt, 'base64'), iterations, OCTETS[hash], hash)
    const clientKey = hmac(hash, salted, 'Client Key')
    const withoutProof = `c=${GS2_IN_BASE64},r=${nonce}`
    const exchanged = `${this.#first},${serverFirst},${withoutProof}`
    const signature = hmac(hash, createHash(hash).update(clientKey).digest(), exchanged)
    this.#proof = hmac(hash, hmac(hash, salted, 'Server Key'), exchanged)
    this.#step = 'final'
    const proof = clientKey.map((byte, at) => byte ^ (signature[at] ?? 0))
    return Buffer.from(`${withoutProof},p=${Buffer.from(proof).toString('base64')}`)
  }

  #verify(serverFinal: string): Answer {
    this.#step = 'over'
    const error = /^e=([^,\0]+)/.exec(serverFinal)?.[1]
    if (error !== undefined) {
      this.#complaint = display(error, 80)
      return Buffer.alloc(0)
    }
    const sent = Buffer.from(/^v=([A-Za-z0-9+/]+={0,2})(?:,|$)/.exec(serverFinal)?.[1] ?? '', 'base64')
    if (sent.length !== this.#proof.length || !timingSafeEqual(sent, this.#proof)) {
      return { cancel: 'it did not prove that it knows the password, as an attacker in its place could not' }
    }
    return Buffer.alloc(0)
  }
}

function hmac(hash: Hash, key: Buffer, text: string): Buffer {
  return createHmac(hash, key).update(text).digest()
}
