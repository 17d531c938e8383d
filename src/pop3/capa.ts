// CAPA over a session's queue (RFC 2449 §5): what the server says it can do, at this moment.
import { CollectedBody } from './wire/collected-body.ts'
import { command } from './wire/command.ts'
import { capabilitiesDoubt } from './recoverable.ts'
import type { ExchangeQueue } from './wire/exchange.ts'
import { isBusy, replyError } from './wire/reply-error.ts'
import { CAPABILITIES_LIMIT, type Capabilities, noCapabilities, parseCapabilities } from './wire/reply.ts'

/** Sixty-four times what is looked at. */
const END_BYTES = CAPABILITIES_LIMIT * 64

/** `noCapabilities` when the server does not know CAPA. Rejects with ERR_POP3_REPLY, UnansweredCapabilities, or when the
 *  session is botched. */
export async function askCapabilities(queue: ExchangeQueue): Promise<Capabilities> {
  const answer = new CollectedBody({ keepBytes: CAPABILITIES_LIMIT, endBytes: END_BYTES })
  const reply = await queue.run(command('CAPA'), 'step', answer).catch((error: unknown) => {
    throw capabilitiesDoubt(error)
  })
  if (reply.status === 'ok') return parseCapabilities(answer.bytes())
  // No server says "unknown command" with such a code: this is a goodbye (P146).
  if (reply.code !== null && isBusy(reply)) throw replyError('CAPA', reply)
  return noCapabilities
}
