// The field `X-Popfetch-Delivery: KEY INTENT`, which says which message a message on an IMAP server is, and which attempt put it
// there (DESIGN 3, `trace`). So an attempt that was interrupted is found again. Pure.
import { field } from '../../header.ts'
import type { Attempt } from '../destination.ts'
import { messageKey } from '../message-key.ts'

export const MARK = 'X-Popfetch-Delivery'

const INTENT = /^[0-9a-f]{16}$/
const VALUE = /^([0-9a-f]{24}) ([0-9a-f]{16})$/

export interface Mark {
  readonly key: string
  readonly intent: string
}

export function markField({ origin, intent }: Pick<Attempt, 'origin' | 'intent'>): string {
  if (!INTENT.test(intent)) throw new TypeError('an intent is 16 hexadecimal digits')
  return `${MARK}: ${messageKey(origin)} ${intent}\r\n`
}

/** What the first such field says; null: there is none of ours. */
export function markOf(header: Buffer): Mark | null {
  const [, key, intent] = VALUE.exec(field(header, MARK) ?? '') ?? []
  return key === undefined || intent === undefined ? null : { key, intent }
}
