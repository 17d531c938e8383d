// RETR of many small messages, answers cut whole (cutter.ts): no object, promise or timer a message. It sends as many commands as may
// be on the wire, and gives out the messages as they lie. The one rule: whatever is not plain ends it. Then the queue reads the odd
// answer, and every one behind it, from its first byte as that of an ordinary RETR. For each the owner calls `retrieve`; the queue knows
// that its RETR is on the wire already, and does not send it again (exchange.ts). So there is one place that judges what is odd.
import { Cutter } from './cutter.ts'

/** Whose messages they are. */
export interface BurstOwner {
  /** May more be asked for? */
  mayAsk(): boolean
  /** How many more messages the memory takes now. Where it is 0, `goOn` is called later. */
  room(): number
  /** The messages that lie in the memory of now from `starts[i]` to `ends[i]`: the one numbered `first`, in the order in which they were
   *  asked for, and those behind it. They stay there. Returns other memory for what comes next, of the same size; null: it goes on there. */
  came(first: number, starts: readonly number[], ends: readonly number[]): Buffer | null
  /** It is over. Those from `from` up to `to`, perhaps none, were asked for and have not come: call `retrieve` of the session for each at
   *  once, in this order. Those before `together` were on the wire at the same time as others. */
  dissolved(from: number, to: number, together: number): void
}

/** What the queue does for it. */
export interface BurstLine {
  /** How many bytes of commands may be on the wire. */
  readonly mostBytes: number
  send(commands: string): void
  /** An answer came to its end, or some bytes of one came; are more due? */
  heard(bytes: number, ended: boolean, more: boolean): void
  dissolve(): void
}

export class Burst {
  readonly owner: BurstOwner
  readonly #line: BurstLine
  readonly #cutter: Cutter
  readonly #numbers: number[] = []
  readonly #sizes: number[] = []
  #asked = 0
  #answered = 0
  #onWireBytes = 0
  /** Those before this one were on the wire with others. */
  #togetherUpTo = 0

  constructor(owner: BurstOwner, line: BurstLine, memory: Buffer) {
    this.owner = owner
    this.#line = line
    this.#cutter = new Cutter(memory)
  }

  /** Asked for so far. */
  get asked(): number {
    return this.#asked
  }

  /** How much of the memory is in use. */
  get filledBytes(): number {
    return this.#cutter.filledBytes
  }

  /** The message that came last; null: none did. */
  get last(): { readonly number: number; readonly together: boolean } | null {
    const number = this.#numbers[this.#answered - 1]
    return number === undefined ? null : { number, together: this.#answered <= this.#togetherUpTo }
  }

  /** More messages, with the sizes that are announced for them: asked for as soon as they may be. */
  ask(numbers: readonly number[], sizes: readonly number[]): void {
    for (const number of numbers) this.#numbers.push(number)
    for (const size of sizes) this.#sizes.push(size)
    if (this.#send()) this.#line.heard(0, true, true)
  }

  /** What came from the server. False: there was no room, it is over, and these bytes are still to be read. */
  take(bytes: Buffer): boolean {
    const before = this.#answered
    const isTaken = this.#cutter.append(bytes)
    if (!isTaken || !this.#cut()) {
      this.#line.dissolve()
      return isTaken
    }
    this.#send()
    this.#line.heard(bytes.length, this.#answered > before, this.#answered < this.#asked)
    return true
  }

  /** There is other memory, and room in it: what is not cut goes there. */
  goOn(memory: Buffer): void {
    this.#cutter.moveTo(memory)
    if (!this.#cut()) return this.#line.dissolve()
    this.#send()
    this.#line.heard(0, true, this.#answered < this.#asked)
  }

  /** The rest comes by ordinary RETRs. */
  dissolve(): void {
    this.#line.dissolve()
  }

  /** For the queue, which ends it: what is on the wire, and what came of it. */
  end(): { readonly onWire: readonly number[]; readonly together: number; readonly rest: Buffer } {
    const onWire = this.#numbers.slice(this.#answered, this.#asked)
    return { onWire, together: this.#togetherUpTo - this.#answered, rest: this.#cutter.rest() }
  }

  /** For the queue: gives those on the wire back. */
  giveBack(): void {
    this.owner.dissolved(this.#answered, this.#asked, this.#togetherUpTo)
  }

  /** False: the next answer is odd. */
  #cut(): boolean {
    const cutter = this.#cutter
    for (let most = this.owner.room(); most > 0; most = this.owner.room()) {
      const isPlain = cutter.cut(this.#sizes, this.#answered, this.#asked, most)
      const count = cutter.starts.length
      if (count > 0) {
        const first = this.#answered
        this.#answered += count
        for (let at = first; at < this.#answered; at++) this.#onWireBytes -= lengthOf(this.#numbers[at] ?? 0)
        const { starts, ends } = cutter
        const next = this.owner.came(first, starts, ends)
        cutter.clear()
        if (next !== null) cutter.moveTo(next)
      }
      if (!isPlain || count < most) return isPlain
    }
    return true
  }

  /** True: nothing was on the wire before. */
  #send(): boolean {
    if (!this.owner.mayAsk()) return false
    const wasIdle = this.#answered === this.#asked
    let commands = ''
    for (let number = this.#numbers[this.#asked]; number !== undefined; number = this.#numbers[this.#asked]) {
      const bytes = lengthOf(number)
      if (this.#onWireBytes + bytes > this.#line.mostBytes) break
      this.#onWireBytes += bytes
      this.#asked++
      commands += `RETR ${number}\r\n`
    }
    if (commands === '') return false
    if (this.#asked - this.#answered > 1) this.#togetherUpTo = this.#asked
    this.#line.send(commands)
    return wasIdle
  }
}

/** Of its command. */
function lengthOf(number: number): number {
  let bytes = 8
  for (let rest = number; rest >= 10; rest = Math.floor(rest / 10)) bytes++
  return bytes
}
