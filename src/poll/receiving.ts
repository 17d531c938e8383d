// One message on its way in: where it is kept until it is delivered, and what every piece of it passes. Whether it was
// wanted, and what becomes of it, is transfer.ts's.
import type { Account } from '../config/schema.ts'
import { Spool } from '../deliver/spool.ts'
import type { BodySink } from '../pop3/wire/exchange.ts'
import { collectGarbageAfter } from './run/garbage.ts'
import { originOf } from './attempt.ts'
import type { Job } from './route/due.ts'
import type { Run } from './run/run.ts'
import type { Tally } from './tally.ts'
import type { Place } from './run/window.ts'

/** The caller owns it, and disposes of it when the message was handed over or given up. */
export function spoolFor(job: Job, account: Account, run: Run): Spool {
  const [only] = job.due.length === 1 ? job.due : []
  const origin = originOf(account, job)
  const place = only?.target.destination.spool ?? null
  return new Spool({
    origin,
    place,
    attempt: only === undefined ? null : { intent: only.intent, origin, recipient: only.recipient },
    directory: run.destinations.spoolDirectory,
    reserve: run.destinations.reserve,
    // Who wants its spool in a place of its own reads a message until it is delivered, and no longer.
    arena: place === null ? null : run.destinations.arena,
    announcedBytes: job.sizeBytes,
    maxSizeBytes: account.maxSizeBytes,
    signal: run.deliverySignal,
  })
}

/** Into the spool: counted, as fast as is allowed, as far as there is room. */
export function receiver(spool: Spool, place: Place, tally: Tally, run: Run): BodySink {
  return {
    write(chunk) {
      tally.received(chunk.length)
      collectGarbageAfter(chunk.length)
      const written = spool.write(chunk)
      const room = place.received(spool.receivedBytes)
      const paced = run.restrictions.pace(chunk.length)
      return room === undefined && paced === undefined ? written : Promise.all([written, room, paced]).then(() => {})
    },
  }
}
