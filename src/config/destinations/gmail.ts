// A mailbox at Gmail, reached by its API. How it delivers is in deliver/gmail/.
// The one rule: a token goes to Google, or to the server that a test names, and only encrypted or to this machine itself.
import * as z from 'zod'
import { filledLabel, labelName } from '../../deliver/gmail/labels.ts'
import { hasUnknownPlaceholder } from '../../deliver/placeholders.ts'
import { parseAddress } from '../values/address.ts'
import { isLoopback } from '../values/host.ts'
import { sourceKeys } from '../values/secret.ts'
import * as value from '../values/values.ts'
import { common, kind, plain, secretReader } from './kind.ts'

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

const schema = value.once((resolve) =>
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

export const gmail = kind({
  ...plain,
  schema,
  usualName: 'gmail',
  // No URL: none can hold a token. Two that differ in the token alone have to be named.
  canonicalUrl: ({ user, labels }) => `gmail:${user}/${labels.map((name) => encodeURIComponent(name)).join(',')}`,
  show: (keys) => ({ ...keys, token: sourceKeys(keys.token) }),
  accountTexts: ({ labels }) => labels,
  // The answer has the id by which Gmail keeps it.
  provesDelivery: () => true,
  settings(config, opening) {
    return {
      ...config,
      labels: [...new Set(config.labels.map((name) => filledLabel(name, opening)))],
      secret: secretReader({ ...config, password: null }, opening),
      description: `gmail ${config.user}`,
    }
  },
})
