// Asks for LIST and UIDL, and joins their answers and that of CAPA. The session decides whether the commands are sent together;
// recoverable.ts names the errors when the server cannot bear that.
import { command, type Command } from '../wire/command.ts'
import { inBurst } from '../recoverable.ts'
import type { BodySink } from '../wire/exchange.ts'
import { ListParser } from './parser.ts'
import { Listing } from './listing.ts'
import type { Capabilities } from '../wire/capabilities.ts'
import type { Reply } from '../wire/reply.ts'
import { isBusy, replyError } from '../wire/reply-error.ts'

export interface Lists {
  readonly listing: Listing
  /** Null: CAPA was not sent. */
  readonly capabilities: Capabilities | null
}

/** `ask` queues a command. `capabilities`: the pending answer to a CAPA that was sent before; null: none was. Rejects with
 *  ERR_POP3_REPLY when LIST is refused, or UIDL temporarily; with UnansweredBurst only if `together`. */
export async function askLists(
  ask: (list: Command, body: BodySink) => Promise<Reply>,
  capabilities: Promise<Capabilities> | null,
  together: boolean,
): Promise<Lists> {
  const sizes = new ListParser()
  const uidls = new ListParser()
  const list = ask(command('LIST'), bodyOf(sizes))
  const uidl = ask(command('UIDL'), bodyOf(uidls))
  const all = Promise.all([capabilities ?? Promise.resolve(null), list, uidl] as const)
  const burst = together ? inBurst(all, capabilities === null ? [list] : [capabilities, list]) : all
  const [capaAnswer, listReply, uidlReply] = await burst
  if (listReply.status !== 'ok') throw replyError('LIST', listReply)
  // "Not now" does not mean "never": only a plain refusal says that the server has no UIDL (P059, P084).
  if (uidlReply.status !== 'ok' && (uidlReply.code !== null || isBusy(uidlReply))) throw replyError('UIDL', uidlReply)
  const listing = await Listing.from(sizes, uidlReply.status === 'ok' ? uidls : null)
  return { listing, capabilities: capaAnswer }
}

function bodyOf(parser: ListParser): BodySink {
  return { write: (chunk) => parser.feed(chunk) }
}
