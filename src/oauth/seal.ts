// Sign-ins are sealed where others can read and write what is kept: in a database. AES-256-GCM under a key that is derived from
// `state.key` (HKDF, RFC 5869), a random nonce each time (NIST SP 800-38D, 8.2.2), and the name of the sign-in as associated data. So
// nobody reads one without the key, and one that was cut, altered, or put in another's place does not open. One of an earlier day
// that is put back does. Pure.
import { createCipheriv, createDecipheriv, hkdfSync, randomBytes } from 'node:crypto'

/** A key is to be as hard to guess as 128 bits: 32 hexadecimal digits have them. */
export const SHORTEST_KEY = 32

const VERSION = 1
const KEY_BYTES = 32
/** By which a key is known again. */
const MARK_BYTES = 8
const NONCE_BYTES = 12
const TAG_BYTES = 16
const HEAD_BYTES = 1 + MARK_BYTES

/** `newer`: a newer popfetch sealed it. `key`: another key did. `altered`: nobody did, as it is. `isFormer`: a former key did. */
export type Opened =
  | { readonly text: string; readonly isFormer: boolean }
  | { readonly text: null; readonly why: 'newer' | 'key' | 'altered' }

interface Key {
  readonly mark: Buffer
  readonly bytes: Buffer
}

export class Seal {
  readonly #key: Key
  readonly #former: Key | null

  constructor(key: string, former: string | null = null) {
    this.#key = derived(key)
    this.#former = former === null ? null : derived(former)
  }

  close(name: Buffer, text: string): Buffer {
    const head = Buffer.concat([Buffer.of(VERSION), this.#key.mark])
    const nonce = randomBytes(NONCE_BYTES)
    const cipher = createCipheriv('aes-256-gcm', this.#key.bytes, nonce, { authTagLength: TAG_BYTES })
    cipher.setAAD(Buffer.concat([head, name]))
    const hidden = Buffer.concat([cipher.update(text, 'utf8'), cipher.final()])
    return Buffer.concat([head, nonce, hidden, cipher.getAuthTag()])
  }

  open(name: Buffer, sealed: Buffer): Opened {
    if (sealed.length < HEAD_BYTES + NONCE_BYTES + TAG_BYTES) return { text: null, why: 'altered' }
    if (sealed.readUInt8(0) > VERSION) return { text: null, why: 'newer' }
    const head = sealed.subarray(0, HEAD_BYTES)
    const mark = head.subarray(1)
    const key = [this.#key, this.#former].find((known) => known?.mark.equals(mark))
    if (key === undefined || key === null) return { text: null, why: 'key' }
    const nonce = sealed.subarray(HEAD_BYTES, HEAD_BYTES + NONCE_BYTES)
    const cipher = createDecipheriv('aes-256-gcm', key.bytes, nonce, { authTagLength: TAG_BYTES })
    cipher.setAAD(Buffer.concat([head, name]))
    cipher.setAuthTag(sealed.subarray(-TAG_BYTES))
    try {
      const text = Buffer.concat([cipher.update(sealed.subarray(HEAD_BYTES + NONCE_BYTES, -TAG_BYTES)), cipher.final()])
      return { text: text.toString('utf8'), isFormer: key !== this.#key }
    } catch {
      return { text: null, why: 'altered' }
    }
  }
}

function derived(secret: string): Key {
  const both = Buffer.from(hkdfSync('sha256', secret, '', 'popfetch sign-ins 1', KEY_BYTES + MARK_BYTES))
  return { bytes: both.subarray(0, KEY_BYTES), mark: both.subarray(KEY_BYTES) }
}
