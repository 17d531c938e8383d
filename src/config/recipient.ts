// `recipient` of an account: whose mail it is, for a mailbox that collects the mail of a whole domain. How a message is read for
// it is poll/route/mailbox.ts; what is filled with it, deliver/placeholders.ts.
import * as z from 'zod'
import { parseAddress } from './values/address.ts'
import { parseHost } from './values/host.ts'
import * as value from './values/values.ts'

export type RecipientRule =
  /** All mail of the account is for this address. */
  | { readonly kind: 'address'; readonly address: string }
  /** The first field of this name decides, if it holds exactly one address in one of the domains. Otherwise it is `otherwise`. */
  | {
      readonly kind: 'header'
      readonly header: string
      readonly domains: readonly string[]
      readonly otherwise: string
    }

const ADDRESS = 'a plain mail address such as anna@example.org'
const RULE = `${ADDRESS}, or { header, domains, otherwise }`

const address = value.parsed(ADDRESS, parseAddress)
const domain = value.parsed('a domain such as example.org', (text) => (text.includes('_') ? null : parseHost(text)))

const rule = value.mapping({
  header: value
    .parsed('the name of a header field such as X-Original-To', (text) => text, /^[!-9;-~]{1,100}$/)
    .describe('Header field in which the provider writes the recipient'),
  domains: z
    .union([domain, z.array(domain).min(1, { error: 'at least one domain' })], { error: 'a list of domains' })
    .transform((domains) => (typeof domains === 'string' ? [domains] : domains))
    .describe('The domains of the mailbox; an address in another domain is ignored'),
  otherwise: address.describe('Recipient to assume when the field names none'),
})

export const recipient = z.union(
  [
    address.transform((text): RecipientRule => ({ kind: 'address', address: text })),
    rule.transform((written): RecipientRule => ({ kind: 'header', ...written })),
  ],
  { error: RULE },
)

/** An address that it may give. */
export function sampleOf(recipient: RecipientRule): string {
  return recipient.kind === 'address' ? recipient.address : recipient.otherwise
}

/** As the file would have it. */
export function recipientKeys(recipient: RecipientRule | null): unknown {
  if (recipient === null) return null
  if (recipient.kind === 'address') return recipient.address
  const { header, domains, otherwise } = recipient
  return { header, domains, otherwise }
}
