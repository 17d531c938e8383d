// Asks for LIST and UIDL, and joins their answers and that of CAPA. The session decides whether the commands are sent together;
// recoverable.ts names the errors when the server cannot bear that. Whoever knows a mailbox may ask whether it is as it was: by STAT and
// UIDL, whose answer is not even parsed where it is the same.
import { createHash } from 'node:crypto'
import { command, type Command } from '../wire/command.ts'
import { inBurst, UnansweredBurst } from '../recoverable.ts'
import type { BodySink } from '../wire/exchange.ts'
import { ListParser } from './parser.ts'
import { Listing, printOf } from './listing.ts'
import type { HeldRoom } from './room.ts'
import { UnparsedList } from './unparsed.ts'
import type { Capabilities } from '../wire/capabilities.ts'
import type { Reply } from '../wire/reply.ts'
import { isBusy, replyError } from '../wire/reply-error.ts'

export interface Lists {
  /** Null: it has a print that is known. */
  readonly listing: Listing | null
  /** Null: CAPA was not sent. */
  readonly capabilities: Capabilities | null
}

/** Queues a command. */
export type Ask = (list: Command, body: BodySink | null) => Promise<Reply>

/** Is this the print (Listing.print) of a listing with which there is nothing to do? */
export type IsKnown = (print: string) => boolean

/** How the lists are asked for. */
export interface Asking {
  readonly ask: Ask
  /** The pending answer to a CAPA that was sent before; null: none was. */
  readonly capabilities: Promise<Capabilities> | null
  readonly together: boolean
  readonly room: HeldRoom
}

/** Rejects with ERR_POP3_REPLY when LIST or UIDL is refused for a while, or both are; with UnansweredBurst only if `together`. */
export async function askLists(asking: Asking): Promise<Lists & { readonly listing: Listing }> {
  const { ask, room } = asking
  const sizes = new ListParser()
  const uidls = new ListParser()
  const hash = createHash('sha256')
  const list = ask(command('LIST'), bodyOf(sizes, room))
  const uidl = ask(
    command('UIDL'),
    bodyOf(uidls, room, (chunk) => void hash.update(chunk)),
  )
  const [capabilities, listReply, uidlReply] = await answered(asking, list, uidl)
  requireLists(listReply, uidlReply)
  const taken = { stat: null, uidls: hash.digest('hex') }
  return { listing: await Listing.from(sizes, isRefused(uidlReply) ? null : uidls, taken), capabilities }
}

/** The same, but LIST is not asked for where STAT and UIDL say that the mailbox is as it was: then `listing` is null. */
export async function askListsUnless(isKnown: IsKnown, asking: Asking): Promise<Lists> {
  const { ask, room } = asking
  const uidls = new UnparsedList((bytes) => room.fed(bytes))
  const stat = ask(command('STAT'), null)
  const uidl = ask(command('UIDL'), uidls)
  const [capabilities, statReply, uidlReply] = await answered(asking, stat, uidl)
  const taken = { stat: statOf(statReply), uidls: uidls.digest() }
  if (!isRefused(uidlReply) && isKnown(printOf(taken.stat, taken.uidls))) return { listing: null, capabilities }
  const sizes = new ListParser()
  requireLists(await ask(command('LIST'), bodyOf(sizes, room)), uidlReply)
  const parsed = isRefused(uidlReply) ? null : await uidls.parsed()
  return { listing: await Listing.from(sizes, parsed, taken), capabilities }
}

async function answered(
  { capabilities, together }: Asking,
  first: Promise<Reply>,
  last: Promise<Reply>,
): Promise<readonly [Capabilities | null, Reply, Reply]> {
  const all = Promise.all([capabilities ?? Promise.resolve(null), first, last] as const)
  const burst = together ? inBurst(all, capabilities === null ? [first] : [capabilities, first]) : all
  return await burst.catch(async (error: unknown) => {
    throw error instanceof UnansweredBurst ? error : await firstOf(capabilities, error)
  })
}

function requireLists(list: Reply, uidl: Reply): void {
  // Sizes are a hint: where UIDL tells the messages, they are not needed (P174, LIST refused).
  if (isRefused(list) && (isNotNow(list) || isRefused(uidl))) throw replyError('LIST', list)
  // "Not now" does not mean "never": only a plain refusal says that the server has no UIDL (P059, P084).
  if (isRefused(uidl) && isNotNow(uidl)) throw replyError('UIDL', uidl)
}

/** Count and size; what makes no sense (P081) as it is, and a refusal as such: each is the same again, or it is not. */
function statOf(reply: Reply): string {
  if (isRefused(reply)) return '-'
  const [, count, bytes] = /^(\d+) (\d+)(?: |$)/.exec(reply.text) ?? []
  return count === undefined || bytes === undefined ? reply.text : `${count} ${bytes}`
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

function bodyOf(parser: ListParser, room: HeldRoom, read: (chunk: Buffer) => void = () => {}): BodySink {
  return {
    write(chunk) {
      parser.feed(chunk)
      read(chunk)
      return room.fed(chunk.length)
    },
  }
}
