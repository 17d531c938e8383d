// Finds secrets in a text in one pass, however many there are. An index of pieces of four characters, taken from each secret
// at every eighth place. Where a piece occurs, the match is followed in both directions.
// One rule: the work is linear in the text, and the memory in the secrets that are held. `steps` counts the work.

import { FILTER_BITS, type Pieces, slot, small } from './readings.ts'

/** A secret shorter than this has no piece of its own: redact.ts looks for it where arguments stand. */
export const PIECE = 4
const STRIDE = 8
/** So much of a secret in one place is hidden, although the rest of it is not there. */
export const FRAGMENT = 16
/** Tokens of one provider begin alike: a piece that this many have is looked for in other places of the next ones. */
const SHARED = 8
/** Beginnings and ends are always kept; of those with one piece this many are followed. */
const FOLLOWED = 32

/** What is looked for, in small letters. */
export interface Pattern {
  readonly text: string
  /** A word that is in innocent texts: hidden only where an argument stands. */
  readonly isWeak: boolean
}

export interface Found {
  readonly pattern: Pattern
  /** Its first unit in the text, and the one after its last. */
  readonly first: number
  readonly after: number
  readonly isWhole: boolean
}

interface Place {
  readonly pattern: Pattern
  readonly at: number
}

export class SecretIndex implements Pieces {
  readonly #places = new Map<number, Place[]>()
  /** Those all of whose pieces more of them have than are followed: found whole, by all of their text. */
  readonly #alike = new Map<string, Pattern>()
  /** How many of those have this length. */
  readonly #lengths = new Map<number, number>()
  /** How many places have a piece with these bits: mostly none, and then nothing else is asked. */
  readonly filter = new Uint32Array(1 << FILTER_BITS)
  steps = 0

  get size(): number {
    return this.#places.size
  }

  add(pattern: Pattern): void {
    let isFollowed = false
    for (const at of placesIn(pattern.text)) {
      this.steps++
      const key = keyAt(pattern.text, at)
      const places = this.#places.get(key)
      // Its beginning and its end are always known: a text may be cut there.
      const isEnd = at === 0 || at === pattern.text.length - PIECE
      if (places !== undefined && places.length >= SHARED && !isEnd) continue
      isFollowed ||= (places?.length ?? 0) < FOLLOWED
      if (places === undefined) this.#places.set(key, [{ pattern, at }])
      else places.push({ pattern, at })
      this.#count(key, 1)
    }
    if (isFollowed) return
    const { length } = pattern.text
    this.#alike.set(pattern.text, pattern)
    this.#lengths.set(length, (this.#lengths.get(length) ?? 0) + 1)
  }

  remove(pattern: Pattern): void {
    const { length } = pattern.text
    if (this.#alike.delete(pattern.text)) {
      const left = (this.#lengths.get(length) ?? 0) - 1
      if (left > 0) this.#lengths.set(length, left)
      else this.#lengths.delete(length)
    }
    for (const at of placesIn(pattern.text)) {
      this.steps++
      const key = keyAt(pattern.text, at)
      const places = this.#places.get(key) ?? []
      const index = places.findIndex((place) => place.pattern === pattern && place.at === at)
      if (index === -1) continue
      places.splice(index, 1)
      this.#count(key, -1)
      if (places.length === 0) this.#places.delete(key)
    }
  }

  /** What of the secrets is in `text`: whole ones, long fragments, and where the text was cut, its ends. Not overlapping. */
  *find(text: string, cut: { readonly start: boolean; readonly end: boolean }): Generator<Found> {
    let free = 0
    let key = 0
    for (let end = 0; end < text.length; end++) {
      this.steps++
      key = (key << 8) | (small(text.charCodeAt(end)) & 255)
      const at = end + 1 - PIECE
      if (at < free || !this.has(key)) continue
      const places = this.#places.get(key)
      if (places === undefined) continue
      let best = places.length > FOLLOWED ? this.#alikeAt(text, at) : null
      for (const place of places.slice(0, FOLLOWED)) {
        const found = this.#follow(place, text, at, free)
        const counts =
          found.isWhole ||
          found.after - found.first >= FRAGMENT ||
          (cut.end && found.after === text.length && place.at === at - found.first) ||
          (cut.start && found.first === 0 && this.#endsThere(found, place, at))
        if (counts && found.after - found.first >= PIECE && (best === null || longer(found, best))) best = found
      }
      if (best === null) continue
      yield best
      free = best.after
    }
  }

  #alikeAt(text: string, first: number): Found | null {
    let best: Found | null = null
    for (const length of this.#lengths.keys()) {
      this.steps++
      const after = first + length
      const pattern = this.#alike.get(folded(text.slice(first, after)))
      if (pattern !== undefined && (best === null || after > best.after))
        best = { pattern, first, after, isWhole: true }
    }
    return best
  }

  /** Has a piece this key? Bound, for it is handed on. */
  readonly has = (key: number): boolean => this.filter[slot(key)] !== 0 && this.#places.has(key | 0)

  /** As far as the text and the secret agree around one piece. */
  #follow({ pattern, at }: Place, text: string, index: number, free: number): Found {
    let before = 0
    while (before < at && index - before > free && agree(pattern, at - before - 1, text, index - before - 1)) before++
    let length = 0
    while (
      at + length < pattern.text.length &&
      index + length < text.length &&
      agree(pattern, at + length, text, index + length)
    )
      length++
    this.steps += before + length
    return { pattern, first: index - before, after: index + length, isWhole: before + length === pattern.text.length }
  }

  #endsThere({ pattern, after }: Found, { at }: Place, index: number): boolean {
    return after - index + at === pattern.text.length
  }

  #count(key: number, by: number): void {
    const index = slot(key)
    this.filter[index] = (this.filter[index] ?? 0) + by
  }
}

/** Small letters of ASCII for its capitals, as some servers repeat a line in capitals. No unit moves. */
export function folded(text: string): string {
  return /[A-Z]/.test(text) ? text.replace(/[A-Z]+/g, (capitals) => capitals.toLowerCase()) : text
}

function agree(pattern: Pattern, at: number, text: string, index: number): boolean {
  return pattern.text.charCodeAt(at) === small(text.charCodeAt(index))
}

function longer(a: Found, b: Found): boolean {
  if (a.isWhole !== b.isWhole) return a.isWhole
  return a.after - a.first > b.after - b.first
}

function* placesIn(text: string): Generator<number> {
  const last = text.length - PIECE
  for (let at = 0; at < last; at += STRIDE) yield at
  if (last >= 0) yield last
}

/** The low bytes of four units: made again with one more unit by a shift. */
function keyAt(text: string, at: number): number {
  let key = 0
  for (let index = at; index < at + PIECE; index++) key = (key << 8) | (small(text.charCodeAt(index)) & 255)
  return key
}
