// How a message is received: into a spool, counted, and no faster than there is room for it.
import { Spool } from '../../deliver/spool.ts'
import type { BodySink } from '../../pop3/wire/exchange.ts'
import { originOf } from '../attempt.ts'
import type { Job } from '../route/due.ts'
import { collectGarbageAfter } from '../run/garbage.ts'
import { type Share, UNDER_WAY } from '../run/window.ts'
import type { Visit } from '../visit.ts'

/** How many messages of its account may be under way when this one is asked for. */
export function mostUnderWay({ due }: Job): number {
  const isToMaildir = due.length === 1 && (due[0]?.target.destination.spool ?? null) !== null
  return isToMaildir ? UNDER_WAY.toMaildir : UNDER_WAY.elsewhere
}

/** Where a message is kept from its retrieval until it was handed over or given up. */
export function spoolFor(job: Job, { account, run }: Visit): Spool {
  const [only] = job.due.length === 1 ? job.due : []
  const origin = originOf(account, job)
  const place = only?.target.destination.spool ?? null
  return new Spool({
    origin,
    place,
    attempt: only === undefined ? null : { intent: only.intent, origin, recipient: only.recipient },
    directory: run.destinations.spoolDirectory,
    reserve: run.destinations.reserve,
    // A destination with a spool place of its own reads a message until it is delivered, and no longer.
    arena: place !== null || only?.target.destination.letsGo === true ? run.destinations.arena : null,
    announcedBytes: job.sizeBytes,
    maxSizeBytes: account.maxSizeBytes,
    signal: run.deliverySignal,
  })
}

/** Into the spool: counted, as fast as is allowed, as far as there is room. */
export function receiver(spool: Spool, share: Share, { run, tally }: Visit): BodySink {
  return {
    write(chunk) {
      tally.received(chunk.length)
      collectGarbageAfter(chunk.length)
      const written = spool.write(chunk)
      const room = share.received(spool.receivedBytes)
      const paced = run.restrictions.pace(chunk.length)
      return room === undefined && paced === undefined ? written : Promise.all([written, room, paced]).then(() => {})
    },
  }
}
