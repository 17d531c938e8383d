// Memory for lists, over all accounts of a process (P165). An ordinary list needs none of it. A very long one takes its room as it
// grows, and waits while others have it all: the server waits, too. One at a time may take more than there is, within the limits
// of a list, so that each comes to an end.
import { PopfetchError } from '../../errors.ts'

/** What the lists of a process share. `holder` is whoever takes room; `leave` gives back all `bytes` that it asked for. */
export interface ListingRoom {
  /** A promise: there is no room before it resolves. */
  grow(holder: object, bytes: number): Promise<void> | undefined
  leave(holder: object, bytes: number): void
}

/** For all long lists of a process together. */
export const LISTINGS_BYTES = 256 * 1024 * 1024

/** Some sixty thousand messages: every list may have so much. */
export const FREE_BYTES = 4 * 1024 * 1024
const STEP_BYTES = 1024 * 1024

/** A session that holds so much may go on for hours. */
const MOST_WAIT_MS = 10 * 60_000

/** The room of one session's lists, from their first byte until the session ends. */
export class HeldRoom {
  readonly #room: ListingRoom | null
  #fedBytes = 0
  #askedBytes = 0

  /** `room` null: as much as a list may be long. */
  constructor(room: ListingRoom | null) {
    this.#room = room
  }

  /** This many bytes more came. A promise: read on only when it resolves; it rejects after some minutes. */
  fed(bytes: number): Promise<void> | undefined {
    this.#fedBytes += bytes
    const lacks = this.#fedBytes - FREE_BYTES - this.#askedBytes
    if (this.#room === null || lacks <= 0) return undefined
    const step = Math.max(lacks, STEP_BYTES)
    this.#askedBytes += step
    const room = this.#room.grow(this, step)
    return room === undefined ? undefined : inTime(room)
  }

  leave(): void {
    this.#room?.leave(this, this.#askedBytes)
    this.#fedBytes = 0
    this.#askedBytes = 0
  }
}

async function inTime(room: Promise<void>): Promise<void> {
  const late = Promise.withResolvers<never>()
  const timer = setTimeout(() => late.reject(noRoom()), MOST_WAIT_MS)
  try {
    await Promise.race([room, late.promise])
  } finally {
    clearTimeout(timer)
  }
}

function noRoom(): PopfetchError {
  return new PopfetchError(
    'ERR_POP3_PROTOCOL',
    `no memory for a list this long: the lists of other mailboxes use the ${LISTINGS_BYTES} bytes that are set aside: trying again later`,
    { scope: 'account', retry: 'soon' },
  )
}
