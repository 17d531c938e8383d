// A mailbox that collected the mail of a whole domain for an old tool ("multi-drop") as an account's `recipient`. Pure.
// One rule: nothing is guessed. Where the old file does not say in which field the provider names the recipient, or in which
// domains, a remark says what to write.
import { parseAddress } from '../config/values/address.ts'
import { parseHost } from '../config/values/host.ts'
import type { Written } from '../config/values/written.ts'
import { display } from '../display.ts'

export interface Multidrop {
  /** The field as the old file names it; null: it names none, and the old tool looked in several. */
  readonly header: string | null
  /** As the old file names them. */
  readonly domains: readonly string[]
  /** The name at the mail server: its domain helps where the file names none. */
  readonly user: string
  /** Whose the mail is that names nobody: an address, or what is before the sign @. */
  readonly otherwise: string
  /** The recipient at a mail server where the old file fixes none. */
  readonly usual: string
}

export interface Sorted {
  /** The value of `recipient`; null: it is for a person to write. */
  readonly recipient: Written | null
  /** The destinations with it filled in. */
  readonly deliver: readonly Written[]
  readonly remarks: readonly string[]
}

/** Only mail servers have a place for the recipient: a program, a Maildir and an mbox had all mail before, and have it now. */
export function sortedByRecipient(multidrop: Multidrop, deliver: readonly Written[]): Sorted {
  const isOpen = (target: Written): boolean => hasRecipient(target, multidrop.usual)
  if (!deliver.some(isOpen)) {
    const remarks = [
      'multi-drop: all mail goes to one place; {local} in the path of a Maildir makes one for each recipient',
    ]
    return { recipient: null, deliver, remarks }
  }
  const { recipient, domains, remarks } = recipientOf(multidrop)
  if (recipient === null) return { recipient, deliver, remarks }
  return {
    recipient,
    deliver: deliver.map((target) => (isOpen(target) ? filled(target, domains.length > 1) : target)),
    remarks,
  }
}

interface Recipient {
  readonly recipient: Written | null
  readonly domains: readonly string[]
  readonly remarks: readonly string[]
}

function recipientOf({ header, domains: named, user, otherwise }: Multidrop): Recipient {
  const known = named.map((domain) => parseHost(domain)).filter((domain) => domain !== null && !domain.includes('_'))
  const usual = parseAddress(user) === null ? [] : [user.slice(user.lastIndexOf('@') + 1).toLowerCase()]
  const domains = [...new Set(known.length > 0 ? known.filter((domain) => domain !== null) : usual)]
  const reason = obstacle(header, domains)
  if (reason !== null || header === null) {
    const field = header !== null && isField(header) ? header : 'X-Original-To'
    const where = domains.length > 0 ? domains.join(', ') : 'example.org'
    const key = `recipient: { header: ${field}, domains: [${display(where, 200)}], otherwise: you@${display(domains[0] ?? 'example.org', 80)} }`
    return {
      recipient: null,
      domains,
      remarks: [`multi-drop: ${reason ?? ''}: all mail goes to one place until you write ${key}`],
    }
  }
  const address = parseAddress(otherwise) ?? `${otherwise}@${domains[0]}`
  const guessed = known.length > 0 ? [] : ['recipient: the domains are a guess from the user name: correct them']
  return {
    domains,
    recipient: { header, domains, otherwise: parseAddress(address) ?? `postmaster@${domains[0]}` },
    remarks: [
      ...guessed,
      'multi-drop: only this field names the recipient, never To or Cc; if it names none, mail goes to otherwise',
    ],
  }
}

function isField(name: string): boolean {
  return /^[!-9;-~]{1,100}$/.test(name)
}

/** Why `recipient` cannot be written; null: it can. */
function obstacle(header: string | null, domains: readonly string[]): string | null {
  if (header === null)
    return 'the old file does not say which field names the recipient, and popfetch does not guess it'
  if (!isField(header)) return `${display(header, 60)}: popfetch reads the first field of that name, unchanged`
  if (/^received$/i.test(header)) return 'Received fields are not looked through for recipients'
  return domains.length === 0 ? 'the old file does not say which domains are yours' : null
}

function hasRecipient({ type, to }: Written, usual: string): boolean {
  return (type === 'smtp' || type === 'lmtp') && typeof to === 'string' && (to === usual || to.startsWith(`${usual}@`))
}

/** The old tools left out the domain. `several`: with more than one, the mail server has to tell them apart. */
function filled(target: Written, several: boolean): Written {
  if (several) return { ...target, to: '{recipient}' }
  const { to } = target
  const domain = typeof to === 'string' && to.includes('@') ? to.slice(to.lastIndexOf('@')) : ''
  return { ...target, to: `{local}${domain}` }
}
