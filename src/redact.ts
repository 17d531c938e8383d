// Masks secrets in everything popfetch writes: by value, at the writer, whatever way the text came about (N019, N020).
// Whoever obtains a secret adds it before it is used. Not here: hiding arguments by their place (`PASS ****`), which
// the wire trace does by itself, because it can also hide a secret that nobody added.

const MASK = '****'
// Below this a secret is found in innocent words and numbers: it is then masked only where it stands alone.
const SHORT = 4
// A run of base64 digits shorter than this cannot hold a secret of SHORT characters at any alignment.
const BASE64_RUN = /[A-Za-z0-9+/_-]{6,}={0,2}/g
// Tokens change every hour in a process that runs for months; the newest of them are the ones in use.
const KEPT = 4096

/** What is looked for of one secret. */
interface Traces {
  /** As it is, and as JSON, a URL, hexadecimal digits or an escape show it. */
  readonly plain: readonly string[]
  /** The base64 digits that depend on the secret alone, for the three ways it can lie in a longer text (AUTH PLAIN). */
  readonly base64: readonly string[]
}

interface Matchers {
  readonly plain: RegExp
  readonly base64: RegExp | null
}

export class Redactor {
  readonly #secrets = new Map<string, Traces>()
  #matchers: Matchers | null = null

  /** From now on `secret` is masked in every text given to `redact`, in the encodings of `Traces`. */
  add(secret: string): void {
    if (secret === '') return
    const traces = this.#secrets.get(secret)
    this.#secrets.delete(secret)
    this.#secrets.set(secret, traces ?? tracesOf(secret))
    if (traces !== undefined) return
    for (const oldest of this.#secrets.keys()) {
      if (this.#secrets.size <= KEPT) break
      this.#secrets.delete(oldest)
    }
    this.#matchers = null
  }

  redact(text: string): string {
    if (this.#secrets.size === 0) return text
    const { plain, base64 } = (this.#matchers ??= matchersOf([...this.#secrets.values()]))
    const masked = text.replace(plain, MASK)
    if (base64 === null) return masked
    // The whole run goes: its edges carry bits of the secret's first and last characters.
    return masked.replace(BASE64_RUN, (run) =>
      base64.test(run.replaceAll('-', '+').replaceAll('_', '/')) ? MASK : run,
    )
  }
}

function tracesOf(secret: string): Traces {
  const bytes = Buffer.from(secret, 'utf8')
  const latin1 = bytes.toString('latin1')
  const hex = bytes.toString('hex')
  const escaped = (text: string): string =>
    text.replace(/[^\x20-\x7e]/g, (c) => `\\x${c.charCodeAt(0).toString(16).padStart(2, '0')}`)
  // A server may say it back in UTF-8 or in latin1; bytes that are not UTF-8 are shown as `\xNN`.
  const plain = new Set([secret, latin1, escaped(secret), escaped(latin1), percentEncoded(secret)])
  plain.add(JSON.stringify(secret).slice(1, -1))
  if (bytes.length >= SHORT) plain.add(hex).add(hex.toUpperCase())
  return { plain: [...plain], base64: bytes.length >= SHORT ? base64Cores(bytes) : [] }
}

function percentEncoded(secret: string): string {
  return Buffer.from(secret, 'utf8')
    .toString('latin1')
    .replace(/[^A-Za-z0-9_.!~*'()-]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`)
}

/** For 0, 1 and 2 bytes of something else in front: the digits all of whose six bits come from the secret. */
function base64Cores(bytes: Buffer): string[] {
  return [0, 1, 2].map((before) => {
    const digits = Buffer.concat([Buffer.alloc(before), bytes]).toString('base64')
    return digits.slice(Math.ceil((before * 8) / 6), Math.floor(((before + bytes.length) * 8) / 6))
  })
}

function matchersOf(all: readonly Traces[]): Matchers {
  const plain = all.flatMap((traces) => traces.plain)
  // The longest first, so that a secret that begins with another one does not leave its tail.
  plain.sort((a, b) => b.length - a.length)
  const base64 = all.flatMap((traces) => traces.base64)
  return {
    plain: new RegExp(plain.map((text) => (text.length < SHORT ? alone(text) : literal(text))).join('|'), 'g'),
    base64: base64.length === 0 ? null : new RegExp(base64.map(literal).join('|')),
  }
}

function literal(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|/-]/g, '\\$&')
}

function alone(text: string): string {
  return `(?<![A-Za-z0-9])${literal(text)}(?![A-Za-z0-9])`
}

/** The one of this process: secrets are masked for all accounts alike. */
export const redactor = new Redactor()

/** `text` with every known secret masked. */
export function redact(text: string): string {
  return redactor.redact(text)
}
