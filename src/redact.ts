// Masks secrets in everything that others write and popfetch keeps or prints (N019, N020): by value, whatever way the text
// came about. Foreign text is masked where it enters: display() masks, and so does every PopfetchError. Writers mask again.
// Whoever obtains a secret adds it before it is used. Not here: hiding arguments by their place (`PASS ****`), which the
// wire trace does by itself, because it can also hide a secret that nobody added.
// In redact/: readings.ts, the ways to read a text. secret-index.ts, many secrets at once; common-words.ts, what tells nothing.
import { isCommon } from './redact/common-words.ts'
import { mayHoldPiece, pieceOf, type Reading, readings, visibleText } from './redact/readings.ts'
import { type Found, type Pattern, PIECE, SecretIndex, folded } from './redact/secret-index.ts'

const MASK = '****'
/** A token command may print another token each time. The last ones of each source may still come back from a server. */
const KEPT_OF_SOURCE = 3
/** About 10 MB with the index. Those that were not used for the longest time go first; a sign-in adds its secret again. */
const KEPT_UNITS = 1024 * 1024

/** Where a text is known to be a piece of a longer one: there a part of a secret is hidden, too. */
export type Cut = 'none' | 'start' | 'end' | 'both'

interface Held {
  readonly patterns: readonly Pattern[]
  readonly sources: Set<string>
  readonly units: number
}

export class Redactor {
  /** In the order of their last use. */
  readonly #held = new Map<string, Held>()
  /** The secrets of each source, the newest last. */
  readonly #sources = new Map<string, string[]>()
  readonly #index = new SecretIndex()
  /** Those too short for the index, by their text. */
  readonly #short = new Map<string, Pattern>()
  #units = 0
  #steps = 0

  /** From now on `secret` is masked in every text, in every reading of readings.ts. `source` says whose it is ("the token of
   *  old-isp"): of one source the last three are remembered. Without a source it is remembered for good, if there is room. */
  add(secret: string, source = ''): void {
    if (visibleText(secret) === '') return
    const held = this.#held.get(secret) ?? this.#take(secret)
    this.#held.delete(secret)
    this.#held.set(secret, held)
    if (!held.sources.has(source)) held.sources.add(source)
    if (source !== '') this.#renew(secret, source)
    for (const oldest of this.#held.keys()) {
      if (this.#units <= KEPT_UNITS || oldest === secret) break
      this.#forget(oldest)
    }
  }

  /** `text` with every secret masked. */
  redact(text: string, cut: Cut = 'none'): string {
    if (this.#held.size === 0) return text
    this.#steps += 3 * text.length
    if (this.#short.size === 0 && !mayHoldPiece(text, this.#index)) return text
    const pieces: (readonly [number, number])[] = []
    const cuts = { start: cut === 'start' || cut === 'both', end: cut === 'end' || cut === 'both' }
    for (const reading of readings(text, this.#index.has)) {
      this.#steps += reading.steps
      for (const found of this.#index.find(reading.text, cuts)) {
        if (!isInnocent(found, reading)) pieces.push(pieceOf(reading, found.first, found.after - 1))
      }
      if (!reading.isRun && this.#short.size > 0) pieces.push(...this.#shortOnes(reading))
    }
    return pieces.length === 0 ? text : masked(text, pieces)
  }

  /** How much is held, and how much was done: both are bounded, and tests count them. */
  get load(): { readonly secrets: number; readonly units: number; readonly pieces: number; readonly steps: number } {
    const { size: pieces, steps } = this.#index
    return { secrets: this.#held.size, units: this.#units, pieces, steps: this.#steps + steps }
  }

  #take(secret: string): Held {
    const patterns = formsOf(secret).map((text) => ({ text, isWeak: text.length < PIECE || isCommon(text) }))
    const units = patterns.reduce((sum, { text }) => sum + text.length, 0)
    for (const pattern of patterns) {
      if (pattern.text.length < PIECE) this.#short.set(pattern.text, pattern)
      else this.#index.add(pattern)
    }
    this.#units += units
    return { patterns, sources: new Set(), units }
  }

  #renew(secret: string, source: string): void {
    const ofSource = (this.#sources.get(source) ?? []).filter((other) => other !== secret)
    ofSource.push(secret)
    const [oldest = ''] = ofSource
    if (ofSource.length > KEPT_OF_SOURCE) {
      ofSource.shift()
      const held = this.#held.get(oldest)
      held?.sources.delete(source)
      if (held?.sources.size === 0) this.#forget(oldest)
    }
    this.#sources.set(source, ofSource)
  }

  #forget(secret: string): void {
    const held = this.#held.get(secret)
    if (held === undefined) return
    this.#held.delete(secret)
    this.#units -= held.units
    for (const pattern of held.patterns) {
      if (pattern.text.length < PIECE) this.#short.delete(pattern.text)
      else this.#index.remove(pattern)
    }
    for (const source of held.sources) {
      const left = (this.#sources.get(source) ?? []).filter((other) => other !== secret)
      if (left.length === 0) this.#sources.delete(source)
      else this.#sources.set(source, left)
    }
  }

  *#shortOnes(reading: Reading): Generator<readonly [number, number]> {
    const units = folded(reading.text)
    for (let first = 0; first < units.length; first++) {
      for (let length = 1; length < PIECE && first + length <= units.length; length++) {
        this.#steps++
        const pattern = this.#short.get(units.slice(first, first + length))
        if (pattern === undefined || !isArgument(units, first, first + length)) continue
        yield pieceOf(reading, first, first + length - 1)
      }
    }
  }
}

/** The texts by which a secret is known: in UTF-8 or latin1, composed or not, in small letters. */
function formsOf(secret: string): readonly string[] {
  const composed = [secret, secret.normalize('NFC'), secret.normalize('NFD')]
  const bytes = composed.map((form) => Buffer.from(form, 'utf8').toString('latin1'))
  return [...new Set([...composed.map(visibleText), ...bytes, ...bytes.map(visibleText)].map(folded))].filter(
    (form) => form !== '',
  )
}

/** Whether a common word stands where it says nothing about the password. */
function isInnocent({ pattern, isWhole, first, after }: Found, reading: Reading): boolean {
  // In a run of base64 nobody writes a sentence.
  return pattern.isWeak && isWhole && !reading.isRun && !isArgument(reading.text, first, after)
}

const CLOSING: Readonly<Record<string, string>> = {
  '"': '"',
  "'": "'",
  '`': '`',
  '<': '>',
  '(': ')',
  '[': ']',
  '{': '}',
}

/** Whether a server repeats it as an argument: in quotes or brackets, after `=`, or between `:` and `@`. */
function isArgument(units: string, first: number, after: number): boolean {
  const [before = '', behind = ''] = [units[first - 1], units[after]]
  if (before === '=') return !/[a-z0-9]/i.test(behind)
  if (before === ':') return behind === '@'
  return CLOSING[before] !== undefined && CLOSING[before] === behind
}

function masked(text: string, pieces: (readonly [number, number])[]): string {
  pieces.sort(([a], [b]) => a - b)
  let result = ''
  let done = 0
  for (const [first, after] of pieces) {
    // Two that touch or overlap are one.
    if (first > done || done === 0) result += `${text.slice(done, first)}${MASK}`
    done = Math.max(done, after)
  }
  return result + text.slice(done)
}

/** The one of this process: secrets are masked for all accounts alike. */
export const redactor = new Redactor()

/** `text` with every known secret masked. */
export function redact(text: string, cut: Cut = 'none'): string {
  return redactor.redact(text, cut)
}
