// What a kind of destination brings to the contract suite (contract.ts). A factory of places, where its destination delivers to
// and can be watched and disturbed. On disk most of it is done by disk-place.ts.
import type { Attempt, Destination } from '../../src/deliver/destination.ts'

export interface Kind {
  readonly name: string
  /** The ways in which a step may fail, as `Place.failAt` knows them. */
  readonly failures: readonly string[]
  /** A new place without messages, removed at the end of the test. `longNames`: receipts are as long as they can get there. */
  place(options?: { readonly longNames: boolean }): Promise<Place>
}

export interface Place {
  /** Opens the destination, as a new process would. `limitMs`: for all of its time limits. The suite disposes of it. */
  open(limitMs?: number): Destination
  /** The messages that others see there, as received: CRLF line ends, without fields on top. */
  seen(): Promise<readonly Seen[]>
  /** The messages that would be there after a power cut at this moment. A next hop answers for those that it has taken. */
  afterPowerCut(): Promise<readonly Seen[]>
  /** What is there besides the messages and what was there in the beginning. */
  leftovers(): Promise<readonly string[]>

  /** Steps are counted from 1, from now on; a step is what can fail or hang by itself: a system call, a server's answer. */
  failAt(step: number, how: string): void
  /** The step begins, and does not go on before `release`. */
  holdAt(step: number): Held
  /** How many steps have begun since `failAt` or `holdAt`. */
  steps(): number
  /** The place is not there or does not answer: the destination cannot be used. */
  goDown(): void
  /** No room is left for a message. */
  fillUp(): void
  /** Undoes all of these, as after a restart: what is left of earlier processes looks as if they had ended. */
  heal(): void

  /** The largest message that the destination takes. Null: it has no limit of its own. */
  readonly mostBytes: number | null
  /** Makes the attempt in a process of its own, which is killed at that step. Resolves with false when it was through before.
   *  Null: this kind does not remember. */
  readonly killAt: ((step: number, attempt: Attempt) => Promise<boolean>) | null
}

export interface Seen {
  /** '' for kinds without recipients. */
  readonly recipient: string
  readonly bytes: Buffer
}

export interface Held {
  /** Resolves when the step has begun. */
  readonly reached: Promise<void>
  release(): void
}
