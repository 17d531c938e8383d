// The keys of a mailbox at Gmail.
// The one rule: a token goes to Google, or to the server that a test names, and only encrypted or to this machine itself.
import * as z from 'zod'
import { labelName } from '../../../deliver/gmail/labels.ts'
import { hasUnknownPlaceholder } from '../../../deliver/placeholders.ts'
import { parseAddress } from '../../values/address.ts'
import { isLoopback } from '../../values/host.ts'
import * as value from '../../values/values.ts'
import type { Frozen } from '../../values/written.ts'
import { common } from './common.ts'

export const GOOGLE = 'https://gmail.googleapis.com'

/** Gmail's own limit. */
const LONGEST_LABEL = 225

const LABEL = `the name of a label, not longer than ${LONGEST_LABEL}; ${value.PLACEHOLDERS}`

const label = value.parsed(LABEL, (text) =>
  text.trim() !== '' && text.length <= LONGEST_LABEL && !/\p{Cc}/u.test(text) && !hasUnknownPlaceholder(text)
    ? labelName(text.trim())
    : null,
)

const endpoint = value.parsed('the origin of a server, such as https://gmail.example.org', (text) => {
  const url = URL.canParse(text) ? new URL(text) : null
  if (url === null || url.pathname !== '/' || url.search !== '' || url.hash !== '') return null
  if (url.username !== '' || url.password !== '') return null
  const local = isLoopback(url.hostname.replace(/^\[|\]$/g, ''))
  return url.protocol === 'https:' || (url.protocol === 'http:' && local) ? url.origin : null
})

export const gmail = value.once((resolve) =>
  value
    .mapping({
      type: z.literal('gmail'),
      user: value
        .parsed('the address of the mailbox such as anna@gmail.com', parseAddress)
        .describe('The mailbox; mail never goes to another one, even if somebody else signed in'),
      token: value
        .token(resolve)
        .describe('Access token with the scopes gmail.insert and gmail.labels, or { oauth: NAME }'),
      labels: z
        .array(label, { error: 'a list of labels' })
        .max(50, { error: 'at most 50 labels' })
        .prefault(['INBOX', 'UNREAD'])
        .describe('Labels for each message; your own are created if missing'),
      date: z
        .enum(['header', 'now'])
        .default('header')
        .describe('Date that Gmail sorts by: the Date field, or the time of delivery'),
      spam: z
        .enum(['classify', 'never'])
        .default('classify')
        .describe('classify: Gmail classifies messages like arriving mail; never: no message is marked as spam'),
      wrap: z
        .enum(['never', 'when-refused'])
        .default('never')
        .describe(
          'when-refused: a message that Gmail refuses for its form, author or attachments is stored as an attachment of another',
        ),
      concurrency: value.wholeNumber(1, 20).default(4).describe('Maximum number of messages stored at the same time'),
      endpoint: endpoint.default(GOOGLE).describe('Another server instead of Google’s, for tests'),
      ...common,
    })
    .transform((written) => ({ ...written, labels: [...new Set(written.labels)] })),
)

export type GmailKeys = Frozen<z.output<ReturnType<typeof gmail>>>
