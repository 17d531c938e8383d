// A configuration as plain values without a secret, and back. Where a secret is written in a text, its place there stands for it: who
// has the same text again has the secret. Pure.
// The one rule: a secret that stands in none of the texts as it is (an escaped one, the value of a variable) is not replaced by
// anything else; then the configuration has no such form.
import { SecretText } from '../values/secret.ts'

interface Place {
  readonly text: number
  readonly at: number
  readonly length: number
}

/** Pieces of one secret: text that is none, and places. */
type Pieces = readonly (string | Place)[]

export interface Plain {
  /** A Uint32Array of one number stands for a secret: nothing else of a configuration is one. */
  readonly value: unknown
  readonly secrets: readonly Pieces[]
}

/** Null: it has no such form. `texts`: in which its secrets are written. `composed`: a text that has other secrets in it, such as who is
 *  told. */
export function withoutSecrets(
  value: unknown,
  texts: readonly string[],
  composed: SecretText | null = null,
): Plain | null {
  const secrets: Pieces[] = []
  const copies = new Map<object, unknown>()
  const known = new Map<string, Place>()
  const places = new Places(texts)
  const secret = (given: SecretText): Uint32Array => {
    const text = given.reveal()
    const place = given === composed ? null : places.of(text)
    if (place === null && given !== composed) throw new NoPlainValue()
    if (place !== null) known.set(text, place)
    secrets.push(place === null ? [] : [place])
    return Uint32Array.of(secrets.length - 1)
  }
  const copy = (one: unknown): unknown => {
    if (typeof one === 'function' || typeof one === 'symbol') throw new NoPlainValue()
    if (typeof one !== 'object' || one === null) return one
    const before = copies.get(one)
    if (before !== undefined) return before
    const made = one instanceof SecretText ? secret(one) : copied(one, copy)
    copies.set(one, made)
    return made
  }
  try {
    const plain = copy(value)
    const mark = composed === null ? undefined : copies.get(composed)
    if (composed !== null && mark instanceof Uint32Array) secrets[mark[0] ?? 0] = piecesOf(composed.reveal(), known)
    return { value: plain, secrets }
  } catch (error) {
    if (error instanceof NoPlainValue) return null
    throw error
  }
}

/** The same configuration. `value` is used up. */
export function withSecrets({ value, secrets }: Plain, texts: readonly string[]): unknown {
  const made = new Map<object, SecretText>()
  const seen = new Set<object>()
  const secret = (mark: Uint32Array): SecretText => {
    const pieces = secrets[mark[0] ?? -1] ?? []
    const before = made.get(mark)
    const text = pieces.map((one) =>
      typeof one === 'string' ? one : (texts[one.text] ?? '').slice(one.at, one.at + one.length),
    )
    const given = before ?? new SecretText(text.join(''))
    made.set(mark, given)
    return given
  }
  const restored = (one: unknown): unknown => {
    if (one instanceof Uint32Array) return secret(one)
    if (typeof one !== 'object' || one === null || seen.has(one)) return one
    seen.add(one)
    if (one instanceof Map) for (const [key, inner] of one) one.set(key, restored(inner))
    else
      for (const [key, inner] of Object.entries(one))
        if (typeof inner === 'object') Reflect.set(one, key, restored(inner))
    return one
  }
  return restored(value)
}

class NoPlainValue extends Error {}

function copied(one: object, copy: (inner: unknown) => unknown): unknown {
  if (Array.isArray(one)) return one.map(copy)
  if (one instanceof Map) return new Map([...one].map(([key, inner]) => [key, copy(inner)]))
  const prototype: unknown = Object.getPrototypeOf(one)
  if (prototype !== Object.prototype && prototype !== null) throw new NoPlainValue()
  return Object.fromEntries(Object.entries(one).map(([key, inner]) => [key, copy(inner)]))
}

/** Where secrets stand. They are mostly asked for in the order in which they are written: each is looked for behind the one before, so
 *  that ten thousand do not each begin at the start of a long text. */
class Places {
  readonly #texts: readonly string[]
  #last: Place = { text: 0, at: 0, length: 0 }

  constructor(texts: readonly string[]) {
    this.#texts = texts
  }

  /** Null: in none of the texts. */
  of(secret: string): Place | null {
    const { text, at, length } = this.#last
    const next = this.#texts[text]?.indexOf(secret, at + length) ?? -1
    const found = next < 0 ? this.#anywhere(secret) : { text, at: next, length: secret.length }
    this.#last = found ?? this.#last
    return found
  }

  #anywhere(secret: string): Place | null {
    for (const [text, content] of this.#texts.entries()) {
      const at = content.indexOf(secret)
      if (at >= 0) return { text, at, length: secret.length }
    }
    return null
  }
}

function piecesOf(text: string, known: ReadonlyMap<string, Place>): Pieces {
  let pieces: (string | Place)[] = [text]
  // The longest first: one may be a part of another.
  for (const [secret, place] of [...known].toSorted(([a], [b]) => b.length - a.length)) {
    const written = JSON.stringify(secret).slice(1, -1)
    pieces = pieces.flatMap((piece) => {
      if (typeof piece !== 'string' || !piece.includes(written)) return [piece]
      if (written !== secret) throw new NoPlainValue()
      return piece.split(secret).flatMap((part, at) => (at === 0 ? [part] : [place, part]))
    })
  }
  return pieces
}
