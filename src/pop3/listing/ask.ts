// Asks for LIST and UIDL, and joins their answers and that of CAPA. The session decides whether the commands are sent together;
// recoverable.ts names the errors when the server cannot bear that.
import { command, type Command } from '../wire/command.ts'
import { inBurst, UnansweredBurst } from '../recoverable.ts'
import type { BodySink } from '../wire/exchange.ts'
import { ListParser } from './parser.ts'
import { Listing } from './listing.ts'
import type { HeldRoom } from './room.ts'
import type { Capabilities } from '../wire/capabilities.ts'
import type { Reply } from '../wire/reply.ts'
import { isBusy, replyError } from '../wire/reply-error.ts'

export interface Lists {
  readonly listing: Listing
  /** Null: CAPA was not sent. */
  readonly capabilities: Capabilities | null
}

/** `ask` queues a command. `capabilities`: the pending answer to a CAPA that was sent before; null: none was. Rejects with
 *  ERR_POP3_REPLY when either is refused for a while, or both are; with UnansweredBurst only if `together`. */
export async function askLists(
  ask: (list: Command, body: BodySink) => Promise<Reply>,
  capabilities: Promise<Capabilities> | null,
  together: boolean,
  room: HeldRoom,
): Promise<Lists> {
  const sizes = new ListParser()
  const uidls = new ListParser()
  const list = ask(command('LIST'), bodyOf(sizes, room))
  const uidl = ask(command('UIDL'), bodyOf(uidls, room))
  const all = Promise.all([capabilities ?? Promise.resolve(null), list, uidl] as const)
  const burst = together ? inBurst(all, capabilities === null ? [list] : [capabilities, list]) : all
  const [capaAnswer, listReply, uidlReply] = await burst.catch(async (error: unknown) => {
    throw error instanceof UnansweredBurst ? error : await firstOf(capabilities, error)
  })
  // Sizes are a hint: where UIDL tells the messages, they are not needed (P174, LIST refused).
  if (isRefused(listReply) && (isNotNow(listReply) || uidlReply.status !== 'ok')) throw replyError('LIST', listReply)
  // "Not now" does not mean "never": only a plain refusal says that the server has no UIDL (P059, P084).
  if (isRefused(uidlReply) && isNotNow(uidlReply)) throw replyError('UIDL', uidlReply)
  const listing = await Listing.from(sizes, uidlReply.status === 'ok' ? uidls : null)
  return { listing, capabilities: capaAnswer }
}

function isRefused({ status }: Reply): boolean {
  return status !== 'ok'
}

function isNotNow(reply: Reply): boolean {
  return reply.code !== null || isBusy(reply)
}

/** All answers that are missing fail at once: where CAPA was the first of them, it is the one to be left out (P169). */
async function firstOf(capabilities: Promise<Capabilities> | null, error: unknown): Promise<unknown> {
  return await (capabilities ?? Promise.resolve(null)).then(
    () => error,
    (first: unknown) => first,
  )
}

function bodyOf(parser: ListParser, room: HeldRoom): BodySink {
  return {
    write(chunk) {
      parser.feed(chunk)
      return room.fed(chunk.length)
    },
  }
}
