// What is in braces in a path, an address, a folder or a label of a destination. The account's name, and the address whose
// mail it is, for a mailbox that collects the mail of a whole domain. Pure. Two rules. Text that a sender can choose never
// leaves its place. Two addresses share a name only if they differ by case or tag.
import { hash } from 'node:crypto'

const ALL = /\{(account|recipient|local|domain)\}/g
const OF_MAILBOX = /\{(?:recipient|local|domain)\}/

export interface Filling {
  readonly account: string
  /** The address that `{recipient}` stands for; null: each message has its own, and what stands for it is left as it is. */
  readonly mailbox: string | null
}

/** Does it depend on the account? */
export function namesAccount(text: string): boolean {
  return text.includes('{account}')
}

/** Does it depend on the address whose mail it is? */
export function namesMailbox(text: string): boolean {
  return OF_MAILBOX.test(text)
}

/** `{local}` without anything that tells two domains apart. */
export function leavesDomainOut(text: string): boolean {
  return text.includes('{local}') && !text.includes('{domain}') && !text.includes('{recipient}')
}

/** May it be the same for two addresses in these domains? `{local}.{domain}` is, for anna.x in example.org and anna in
 *  x.example.org. */
export function blurs(text: string, domains: readonly string[]): boolean {
  for (const [, first = '', between = '', last = ''] of text.matchAll(
    /\{(local|domain)\}(?=([^{}]*)\{(local|domain)\})/g,
  )) {
    if (first === last) continue
    const isSame = (one: string, other: string): boolean =>
      first === 'local' ? one.endsWith(`${between}${other}`) : one.startsWith(`${other}${between}`)
    if (domains.some((one) => domains.some((other) => one.length > other.length && isSame(one, other)))) return true
  }
  return false
}

/** Whether anything else is in braces: a slip of the pen. */
export function hasUnknownPlaceholder(text: string): boolean {
  return /\{[^{}]*\}/.test(text.replaceAll(ALL, ''))
}

/** For an address: `{recipient}` as it is, `{local}` in lower case without its tag. */
export function filledAddress(text: string, { account, mailbox }: Filling): string {
  return text.replaceAll(ALL, (placeholder, name: string) => {
    if (name === 'account') return account
    if (mailbox === null) return placeholder
    return name === 'recipient' ? mailbox : partsOf(mailbox)[name === 'local' ? 'local' : 'domain']
  })
}

/** For a path, a folder or a label: each as one plain name. */
export function filledName(text: string, filling: Filling): string {
  return text.replaceAll(ALL, (placeholder, name: string) => filledWith(placeholder, name, filling))
}

/** No plain name has it, and all servers take it; Courier (2026) takes no tilde. */
const IN_PLACE_OF_DELIMITER = ','

/** For a folder of a server that puts `delimiter` between levels ('': it has none). A slash that was written means the delimiter,
 *  if no delimiter was written. What is filled in is one level: otherwise `a.b` below `c` and `a` below `b.c` would be one. */
export function filledFolder(text: string, filling: Filling, delimiter: string): string {
  const isServers = delimiter === '' || delimiter === '/' || text.replaceAll(ALL, '').includes(delimiter)
  const slashed = isServers ? text : text.replaceAll('/', delimiter)
  return slashed.replaceAll(ALL, (placeholder, name: string) => {
    const filled = filledWith(placeholder, name, filling)
    return delimiter === '' ? filled : filled.replaceAll(delimiter, IN_PLACE_OF_DELIMITER)
  })
}

function filledWith(placeholder: string, name: string, { account, mailbox }: Filling): string {
  if (name === 'account') return account
  if (mailbox === null) return placeholder
  if (name === 'recipient') return plainName(mailbox, /^[a-z0-9._@+-]+$/)
  return plainName(partsOf(mailbox)[name === 'local' ? 'local' : 'domain'], /^[a-z0-9._-]+$/)
}

function partsOf(mailbox: string): { readonly local: string; readonly domain: string } {
  const at = mailbox.lastIndexOf('@')
  const local = mailbox.slice(0, Math.max(at, 0))
  const tag = local.indexOf('+', 1)
  return {
    local: (tag < 0 ? local : local.slice(0, tag)).toLowerCase(),
    domain: mailbox.slice(at + 1).toLowerCase(),
  }
}

/** Longer names do not fit into a file system beside what else is in one. */
const LONGEST_NAME = 150
const SHOWN_OF_ODD_NAME = 60

/** An equals sign is in no plain name: one with a hash cannot be chosen by a sender. */
function plainName(text: string, plain: RegExp): string {
  const name = text.toLowerCase()
  if (plain.test(name) && !/^\.|\.$/.test(name) && name.length <= LONGEST_NAME) return name
  return oddName(name)
}

/** A name that stands for `name`, and that no address gives by itself. */
export function oddName(name: string): string {
  const shown = name.replaceAll(/[^a-z0-9_-]/g, '_').slice(0, SHOWN_OF_ODD_NAME)
  return `${shown}=${hash('sha256', name).slice(0, 16)}`
}
