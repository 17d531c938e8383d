// LIST and UIDL, with CAPA in front of them where that is asked for: what came of it, in one answer. Whether they go out
// together is the session's to say, and what a failure of that means is in doubt.ts.
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
  /** Null: not asked for. */
  readonly capabilities: Capabilities | null
}

/** `ask` queues a command. `capabilities`: the answer to CAPA that is on its way, null: it is not asked for. Rejects with
 *  ERR_POP3_REPLY when LIST is refused, or UIDL for the time being; with UnansweredBurst where `together`. */
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
  // "Not now" is no "never": only a plain refusal means that the server has no UIDL (P059, P084).
  if (uidlReply.status !== 'ok' && (uidlReply.code !== null || isBusy(uidlReply))) throw replyError('UIDL', uidlReply)
  const listing = await Listing.from(sizes, uidlReply.status === 'ok' ? uidls : null)
  return { listing, capabilities: capaAnswer }
}

function bodyOf(parser: ListParser): BodySink {
  return { write: (chunk) => parser.feed(chunk) }
}
