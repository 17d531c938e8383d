// Which messages a person means by a few words. Pure.
import type { MessageRecord } from '../../ledger/records.ts'
import { printedUidl } from '../../status/words/uidl.ts'

/** Does `text` stand in From, Subject, Message-ID or UIDL? Case does not matter, nor how a letter with an accent is composed. */
export function mentions(text: string): (message: MessageRecord) => boolean {
  const wanted = folded(text)
  return ({ from, subject, messageId, key }) =>
    [from, subject, messageId, key.uidl, printedUidl(key.uidl)].some(
      (part) => part !== null && folded(part).includes(wanted),
    )
}

function folded(text: string): string {
  return text.normalize('NFC').toLowerCase()
}
