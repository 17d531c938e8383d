// The ways in which one text can be read. As it is, without invisible characters, with escapes undone (URL, quoted-printable, JSON,
// HTML, our own `\xNN`), or with base64 or hexadecimal digits decoded. redact.ts looks for secrets in each of them. Every reading
// knows where in the text its units come from. Pure.

/** UTF-16 units, and for each of them the piece of the text that it stands for. */
export interface Reading {
  readonly text: string
  /** Null: unit by unit the text itself. */
  readonly from: readonly number[] | null
  readonly to: readonly number[] | null
  /** True: one run of digits. A secret in it hides all of it: the edges carry bits of the secret's ends. */
  readonly isRun: boolean
  /** How many units were looked at to make it. */
  readonly steps: number
}

/** What no reader sees: controls, format characters (zero width, soft hyphen), fillers, variation selectors. Made where it is
 *  needed: V8 goes through the tables of Unicode for it, most of a millisecond of each start. */
const invisible = (): RegExp => /[^\P{Cc}\r\n]|[\p{Cf}\p{Default_Ignorable_Code_Point}\u2800]/u
const invisibles = (): RegExp => /(?:[^\P{Cc}\r\n]|[\p{Cf}\p{Default_Ignorable_Code_Point}\u2800])+/gu
const PRINTABLE = /^[ -~]*$/

type Decode = (match: RegExpExecArray) => string

interface Escape {
  readonly form: RegExp
  readonly decode: Decode
}

const NAMED: Readonly<Record<string, string>> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'", nbsp: '\u00a0' }
const SHORT_ESCAPES: Readonly<Record<string, string>> = { b: '\b', f: '\f', n: '\n', r: '\r', t: '\t', 0: '\0' }

const ESCAPES: readonly Escape[] = [
  { form: /%([0-9a-f]{2})/gi, decode: ([, hex]) => unit(hex, 16) },
  { form: /%([0-9a-f]{2})|\+/gi, decode: ([all, hex]) => (all === '+' ? ' ' : unit(hex, 16)) },
  { form: /=([0-9a-f]{2})|=?\r?\n/gi, decode: ([, hex]) => (hex === undefined ? '' : unit(hex, 16)) },
  {
    form: /\\(?:x([0-9a-f]{2})|u\{([0-9a-f]{1,6})\}|u([0-9a-f]{4})|([^xu]))/gi,
    decode: ([, byte, point, four, short = '']) => {
      const hex = byte ?? point ?? four
      return hex === undefined ? (SHORT_ESCAPES[short] ?? short) : unit(hex, 16)
    },
  },
  {
    form: /&(?:#(\d{1,7})|#x([0-9a-f]{1,6})|([a-z]{2,4}));/gi,
    decode: ([all, decimal, hex, name = '']) =>
      decimal === undefined && hex === undefined
        ? (NAMED[name.toLowerCase()] ?? all)
        : unit(decimal ?? hex, decimal === undefined ? 16 : 10),
  },
]

function unit(digits: string | undefined, radix: number): string {
  const point = Number.parseInt(digits ?? '', radix)
  return point <= 0x10ffff ? String.fromCodePoint(point) : ''
}

const ESCAPED = /[%+=\\&\n]/
/** Printable, and nothing in it may be an escape: nearly every text. */
const PLAIN = /^[ -$'-*,-<>-[\]-~]*$/

/** Whether a secret has a piece with this key: the low bytes of four of its units, in small letters. */
export type HasPiece = (key: number) => boolean

/** The pieces of all secrets. */
export interface Pieces {
  readonly has: HasPiece
  /** 0 at `slot(key)`: no piece has this key, nor one that differs from it in capitals alone. */
  readonly filter: Uint32Array
}

/** How many slots a filter has, as a power of two. */
export const FILTER_BITS = 14
const LAST_SLOT = (1 << FILTER_BITS) - 1
/** In each byte the bit that makes small letters of capitals. */
const SMALL = 0x20202020

/** Of random digits, such as UIDLs, one in a thousand has a slot that is in use for a few secrets. */
export function slot(key: number): number {
  return ((key | SMALL) ^ ((key | SMALL) >>> 15)) & LAST_SLOT
}

/** False: no reading of `text` has a piece of a secret. The same as all of them would tell, in one pass and without making any: nearly
 *  every text is of that kind. True: one may have. Some of each message goes through here before V8 has made machine code of it. So it
 *  calls nothing, `slot` and `small` included, unless a slot is in use. */
export function mayHoldPiece(text: string, { has, filter }: Pieces): boolean {
  if (!PLAIN.test(text) && (ESCAPED.test(text) || invisible().test(text))) return true
  const { values: base64 } = BASE64
  const { values: hexadecimal } = HEX
  let key = 0
  // As nextRun does for each kind of digits.
  let high = 0
  let low = 0
  let digits = 0
  let four = 0
  let hexDigits = 0
  for (let index = 0; index < text.length; index++) {
    const code = text.charCodeAt(index)
    key = (key << 8) | ((code >= 65 && code <= 90 ? code | 32 : code) & 255)
    const plain = key | SMALL
    if (filter[(plain ^ (plain >>> 15)) & LAST_SLOT] !== 0 && index > 2 && has(key)) return true
    const value = code < 128 ? (base64[code] ?? 255) : 255
    if (value === 255) {
      digits = hexDigits = 0
      continue
    }
    digits++
    high = ((high << 6) | (low >>> 18)) & 0xffffff
    low = ((low << 6) | value) & 0xffffff
    if (digits > 5) {
      // A byte ends with this digit, or two or four bits before its end.
      const first = (high << 24) | low | SMALL
      const second = (high << 22) | (low >>> 2) | SMALL
      const third = (high << 20) | (low >>> 4) | SMALL
      if (filter[(first ^ (first >>> 15)) & LAST_SLOT] !== 0 && has(foldedKey((high << 24) | low))) return true
      if (filter[(second ^ (second >>> 15)) & LAST_SLOT] !== 0 && has(foldedKey((high << 22) | (low >>> 2))))
        return true
      if (filter[(third ^ (third >>> 15)) & LAST_SLOT] !== 0 && has(foldedKey((high << 20) | (low >>> 4)))) return true
    }
    const hex = hexadecimal[code] ?? 255
    hexDigits = hex === 255 ? 0 : hexDigits + 1
    four = (four << 4) | hex
    if (hexDigits > 7 && filter[slot(four)] !== 0 && has(foldedKey(four))) return true
  }
  return false
}

/** All readings of `text` in which a secret may be, the plainest first. Linear in its length. */
export function* readings(text: string, hasPiece: HasPiece): Generator<Reading> {
  const literal = visible(text)
  yield* withRuns(literal, hasPiece)
  for (const reading of unescaped(literal)) {
    yield* withRuns(reading, hasPiece)
    // What was escaped twice: a server's `%41` in a string of JSON, our own `\xNN` in a string of JSON.
    for (const again of unescaped(reading)) yield* withRuns(again, hasPiece)
  }
}

/** `text` without what nobody sees. A secret is looked for in this form. */
export function visibleText(text: string): string {
  return PRINTABLE.test(text) ? text : text.replace(invisibles(), '')
}

function visible(text: string): Reading {
  const same = { text, from: null, to: null, isRun: false, steps: 3 * text.length }
  if (PRINTABLE.test(text) || !invisible().test(text)) return same
  return replaced(same, invisibles(), () => '') ?? same
}

function* unescaped(reading: Reading): Generator<Reading> {
  if (!ESCAPED.test(reading.text)) return
  for (const { form, decode } of ESCAPES) {
    const undone = replaced(reading, form, decode)
    if (undone !== null) yield undone
  }
}

/** `reading` with each match of `form` decoded; null: there is none. */
function replaced(reading: Reading, form: RegExp, decode: Decode): Reading | null {
  const { text } = reading
  let units = ''
  const from: number[] = []
  const to: number[] = []
  let done = 0
  const keep = (until: number): void => {
    units += text.slice(done, until)
    for (let index = done; index < until; index++) {
      from.push(start(reading, index))
      to.push(end(reading, index))
    }
  }
  for (const match of text.matchAll(form)) {
    keep(match.index)
    done = match.index + match[0].length
    const decoded = decode(match)
    units += decoded
    for (let index = 0; index < decoded.length; index++) {
      from.push(start(reading, match.index))
      to.push(end(reading, done - 1))
    }
  }
  if (done === 0) return null
  keep(text.length)
  return { text: units, from, to, isRun: false, steps: 4 * text.length }
}

/** `reading`, and its runs of digits that have a piece of a secret, decoded. */
function* withRuns(reading: Reading, hasPiece: HasPiece): Generator<Reading> {
  yield reading
  yield* runsIn(reading, BASE64, hasPiece)
  yield* runsIn(reading, HEX, hasPiece)
}

interface Digits {
  /** By the unit's code; 255: it is no digit. */
  readonly values: Uint8Array
  readonly bits: number
  /** A run has this many units at most before its decoded form begins: other digits may be glued to it. */
  readonly phases: number
  readonly encoding: 'base64' | 'hex'
}

const BASE64: Digits = {
  values: valuesOf('ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/', { '-': 62, _: 63 }),
  bits: 6,
  phases: 4,
  encoding: 'base64',
}
const HEX: Digits = {
  values: valuesOf('0123456789abcdef', { A: 10, B: 11, C: 12, D: 13, E: 14, F: 15 }),
  bits: 4,
  phases: 2,
  encoding: 'hex',
}

function valuesOf(digits: string, others: Readonly<Record<string, number>>): Uint8Array {
  const values = new Uint8Array(128).fill(255)
  for (let value = 0; value < digits.length; value++) values[digits.charCodeAt(value)] = value
  for (const [digit, value] of Object.entries(others)) values[digit.charCodeAt(0)] = value
  return values
}

/** The runs that have a piece, decoded. A run has the digits of its own text from one of its first units on. */
function* runsIn(reading: Reading, digits: Digits, hasPiece: HasPiece): Generator<Reading> {
  const { text } = reading
  const { values, bits, phases } = digits
  for (let run = nextRun(text, digits, hasPiece, 0); run !== null;) {
    const { begin, last } = run
    const done = runEnd(text, last, values)
    const padding = bits === 6 ? (/^={1,2}/.exec(text.slice(done, done + 2))?.[0].length ?? 0) : 0
    for (let skipped = 0; skipped < phases; skipped++) {
      const bytes = Buffer.from(text.slice(begin + skipped, done), digits.encoding)
      yield decodedRun(reading, begin, done + padding, bytes)
    }
    run = nextRun(text, digits, hasPiece, done)
  }
}

/** The first run from `from` on that has a piece, and the unit that showed it; null: there is none. One pass over all that may be digits,
 *  without decoding ordinary words: a piece shows at some number of bits after the beginning of its run. */
function nextRun(
  text: string,
  { values, bits }: Digits,
  hasPiece: HasPiece,
  from: number,
): { readonly begin: number; readonly last: number } | null {
  let begin = from
  // The last 48 bits, in two halves: four bytes at any of the offsets within a digit.
  let high = 0
  let low = 0
  for (let index = from; index < text.length; index++) {
    const code = text.charCodeAt(index)
    const value = code < 128 ? (values[code] ?? 255) : 255
    if (value === 255) {
      begin = index + 1
      continue
    }
    high = ((high << bits) | (low >>> (24 - bits))) & 0xffffff
    low = ((low << bits) | value) & 0xffffff
    const length = (index - begin + 1) * bits
    if (length < 32) continue
    // A byte ends with this digit, or two or four bits before its end.
    for (let behind = 0; behind < bits && behind < 8; behind += 2) {
      if (length - behind < 32 || (bits === 4 && behind !== 0)) continue
      const key = foldedKey((high << (24 - behind)) | (low >>> behind) | 0)
      if (hasPiece(key)) return { begin, last: index }
    }
  }
  return null
}

function runEnd(text: string, from: number, values: Uint8Array): number {
  let end = from
  while (end < text.length && (values[text.charCodeAt(end)] ?? 255) !== 255) end++
  return end
}

/** Four bytes with ASCII capitals as small letters, all at once: adding lifts a capital, and what is behind Z, into the high bit. */
function foldedKey(key: number): number {
  const seven = key & 0x7f7f7f7f
  const capitals = ((seven + 0x3f3f3f3f) ^ (seven + 0x25252525)) & ~key & 0x80808080
  return key | (capitals >>> 2)
}

/** The code of an ASCII capital as that of its small letter, any other as it is. */
export function small(code: number): number {
  return code >= 65 && code <= 90 ? code | 32 : code
}

function decodedRun(reading: Reading, begin: number, after: number, bytes: Buffer): Reading {
  return {
    text: bytes.toString('latin1'),
    from: [start(reading, begin)],
    to: [end(reading, after - 1)],
    isRun: true,
    steps: after - begin,
  }
}

function start({ from }: Reading, index: number): number {
  return from === null ? index : (from[index] ?? 0)
}

function end({ to }: Reading, index: number): number {
  return to === null ? index + 1 : (to[index] ?? 0)
}

/** The piece of the text that stands for the units from `first` to `last` of `reading`. */
export function pieceOf(reading: Reading, first: number, last: number): readonly [number, number] {
  return reading.isRun ? [start(reading, 0), end(reading, 0)] : [start(reading, first), end(reading, last)]
}
