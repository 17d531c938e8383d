// Mail that goes in a circle: what a destination forwarded comes back into the mailbox it was fetched from (D046, D047).
// Pure. A token in the `id` of our own Received field says which mailbox and recipient it went from and to; whoever finds
// its own token again, or more Received fields than any honest way leaves, must not send the message on.
import { hash } from 'node:crypto'
import { fields } from '../header.ts'
import type { Origin } from '../message.ts'

/** RFC 5321 6.3 wants at least 100 before a message is refused for it; Postfix gives up at 50, and here nothing is lost. */
const MOST_RECEIVED = 50

/** The same for every message that goes from this mailbox to this recipient. Not the names in the configuration: they may
 *  change while a message is on its way. */
export function loopToken({ host, user }: Origin, recipient: string): string {
  return hash('sha256', JSON.stringify(['popfetch', host, user, recipient]), 'hex').slice(0, 20)
}

/** Why the message is perhaps going in a circle; null: it is not. */
export function loopOf(header: Buffer, token: string): string | null {
  const received = fields(header, 'Received')
  if (received.some((value) => value.includes(` id ${token}`) && value.includes('(popfetch; '))) {
    return 'popfetch has sent it from this mailbox to this recipient before, and it came back'
  }
  return received.length > MOST_RECEIVED ? `it has ${received.length} Received fields` : null
}
