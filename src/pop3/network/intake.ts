// What a socket reads, in memory that is used again and again. A new chunk for every read is garbage to be collected, and a TLS socket
// reads one for each record: 4 KiB from Dovecot. Node fills the memory (`onread` of its sockets). The one rule: what was given out is
// not written over before its taker has returned, nor while the taker makes the connection wait.

/** Enough for a poll without new mail. */
const FIRST_BYTES = 16 << 10
/** Measured: with more at once nothing is faster. */
const FULL_BYTES = 64 << 10
/** Where less is left, it goes on at the start, or in other memory. */
const LEAST_ROOM_BYTES = 4 << 10

export class Intake {
  readonly #gathers: boolean
  #take: ((chunk: Buffer) => void) | null = null
  #memory = Buffer.allocUnsafeSlow(FIRST_BYTES)
  /** Given out up to here, and filled up to here. */
  #given = 0
  #filled = 0
  /** What came before, in memory that was full, and is to be given out. */
  readonly #earlier: Buffer[] = []
  #isHeld = false
  #isGiving = false
  #isDue = false
  #drained: (() => void) | null = null

  /** For Node: where the next bytes go, and that some have come. That returns false where no more are to be read. */
  readonly onread = {
    buffer: (): Buffer => (this.#filled === 0 ? this.#memory : this.#memory.subarray(this.#filled)),
    callback: (bytes: number): boolean => this.#came(bytes),
  }

  /** `gathers`: what comes in one turn of the event loop is given out together. */
  constructor(gathers: boolean) {
    this.#gathers = gathers
  }

  /** Gives all out to `take` from now on. The bytes hold until it returns; if it calls `hold` before, until `release`. */
  start(take: (chunk: Buffer) => void): void {
    this.#take = take
    if (this.#hasMore) this.#soon()
  }

  /** Nothing is given out until `release`. */
  hold(): void {
    this.#isHeld = true
  }

  release(): void {
    this.#isHeld = false
    if (this.#hasMore) this.#soon()
    else this.#allGiven()
  }

  /** Nothing more comes. Calls `drained` once all is given out and nothing is held. */
  end(drained: () => void): void {
    this.#drained = drained
    this.#give()
  }

  #came(bytes: number): boolean {
    this.#filled += bytes
    const isFull = this.#memory.length - this.#filled < LEAST_ROOM_BYTES
    if (isFull || !this.#gathers) this.#give()
    // Only now, for Node asks next where to go on.
    if (this.#mayGive && !this.#hasMore) this.#startAgain(isFull)
    else if (isFull) this.#leave()
    if (this.#hasMore) this.#soon()
    return this.#mayGive
  }

  /** At the start: nobody uses what lies there. */
  #startAgain(wasFull: boolean): void {
    if (wasFull && this.#memory.length < FULL_BYTES) this.#memory = Buffer.allocUnsafeSlow(FULL_BYTES)
    this.#given = this.#filled = 0
  }

  /** In other memory: this one may be in use. */
  #leave(): void {
    if (this.#filled > this.#given) this.#earlier.push(this.#fresh())
    this.#memory = Buffer.allocUnsafeSlow(FULL_BYTES)
    this.#given = this.#filled = 0
  }

  get #mayGive(): boolean {
    return this.#take !== null && !this.#isHeld
  }

  get #hasMore(): boolean {
    return this.#filled > this.#given || this.#earlier.length > 0
  }

  /** Later in this turn of the event loop. */
  #soon(): void {
    if (this.#isDue || !this.#mayGive) return
    this.#isDue = true
    setImmediate(() => {
      this.#isDue = false
      this.#give()
    })
  }

  #give(): void {
    // Its taker may hold and release it meanwhile: what comes next must wait until it returns.
    if (this.#isGiving) return
    this.#isGiving = true
    while (this.#mayGive && this.#hasMore) this.#take?.(this.#earlier.shift() ?? this.#fresh())
    this.#isGiving = false
    if (this.#mayGive) this.#allGiven()
  }

  #fresh(): Buffer {
    const fresh = this.#memory.subarray(this.#given, this.#filled)
    this.#given = this.#filled
    return fresh
  }

  #allGiven(): void {
    this.#drained?.()
    this.#drained = null
  }
}
