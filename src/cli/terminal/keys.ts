// The keys of one answer, on their way from the terminal to the editor of the line. An editor looks at the whole line at each key,
// so a text of 1 MB that somebody pasted would hold it for hours. And pasted line ends would answer the questions behind this one.
// Here a line has an end, and what is pasted (terminals mark it when asked to) is one line without control characters.
import { Transform, type TransformCallback } from 'node:stream'

/** A terminal, or a stream in its place. */
export type KeyStream = NodeJS.ReadableStream & {
  readonly isTTY?: boolean
  setRawMode?(on: boolean): unknown
}

/** Asks a terminal to mark what is pasted, and no longer to. Terminals that cannot do it ignore both. */
export const MARK_PASTES = '\u001b[?2004h'
export const MARK_NO_PASTES = '\u001b[?2004l'

/** No path, command or address is longer. Its line is drawn anew at each key. */
export const LONGEST_LINE = 1000
/** Access tokens have some thousand characters. */
export const LONGEST_SECRET = 8000

const BEGIN = '\u001b[200~'
const END = '\u001b[201~'

const DELETE = new Set(['\u007f', '\b'])
const CLEAR = '\u0015'

export class Keys extends Transform {
  readonly isTTY: boolean
  readonly #terminal: KeyStream
  readonly #longest: number
  #length = 0
  #isPasting = false
  #hasEnded = false
  #held = ''
  #fault: string | null = null
  readonly #forward = (chunk: Buffer | string): void => void this.write(chunk)
  readonly #gone = (): void => void this.end()

  /** `longest`: characters of the line; more is left out. Until `release` nobody else may read the terminal. */
  constructor(terminal: KeyStream, longest: number) {
    super()
    this.#terminal = terminal
    this.#longest = longest
    this.isTTY = terminal.isTTY ?? false
    terminal.on('data', this.#forward)
    terminal.once('end', this.#gone)
    terminal.resume()
  }

  /** What was left out, told once; null: nothing was. */
  takeFault(): string | null {
    const fault = this.#fault
    this.#fault = null
    return fault
  }

  setRawMode(on: boolean): this {
    this.#terminal.setRawMode?.(on)
    return this
  }

  /** What is typed from now on waits for the next question. */
  release(): void {
    this.#terminal.off('data', this.#forward)
    this.#terminal.off('end', this.#gone)
    this.#terminal.pause()
    this.destroy()
  }

  override _transform(chunk: Buffer, _encoding: BufferEncoding, done: TransformCallback): void {
    // As latin1 each byte is a character: those of UTF-8 are passed on as they are.
    const text = this.#held + chunk.toString('latin1')
    this.#held = ''
    let passed = ''
    for (let at = 0; at < text.length;) {
      const marker = this.#isPasting ? END : BEGIN
      const rest = text.slice(at, at + marker.length)
      if (rest === marker) {
        this.#isPasting = !this.#isPasting
        this.#hasEnded = false
        at += marker.length
        continue
      }
      // A marker may come in two parts. The key Escape alone is none.
      if (rest.length < marker.length && rest.length > (this.#isPasting ? 0 : 1) && marker.startsWith(rest)) {
        this.#held = rest
        break
      }
      const key = text.charAt(at)
      passed += this.#isPasting ? this.#pasted(key) : this.#typed(key)
      at += 1
    }
    done(null, Buffer.from(passed, 'latin1'))
  }

  #typed(key: string): string {
    if (DELETE.has(key)) this.#length = Math.max(0, this.#length - 1)
    else if (key === CLEAR) this.#length = 0
    else if (key >= ' ') return this.#within(key)
    return key
  }

  #pasted(key: string): string {
    if (key === '\r' || key === '\n') this.#hasEnded = true
    else if (this.#hasEnded) {
      if (key !== ' ' && key !== '\t') this.#fault = 'expected one line: the lines behind it were left out'
    } else if (key < ' ' || key === '\u007f') this.#fault = 'expected no control characters: they were left out'
    else return this.#within(key)
    return ''
  }

  #within(key: string): string {
    if (this.#length < this.#longest) {
      this.#length += 1
      return key
    }
    this.#fault = `expected at most ${this.#longest} characters: the rest was left out`
    return ''
  }
}
