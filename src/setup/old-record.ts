// The records of old tools as they write them themselves: the way back (`state export --as`). The readers are in each tool's
// folder. Pure. One rule: a UIDL that the old tool would read as a different one is left out. It then fetches that message
// twice, and loses none.

export const OLD_TOOLS = ['fetchmail', 'getmail', 'mpop'] as const
export type OldTool = (typeof OLD_TOOLS)[number]

export interface OldMailbox {
  /** The names that the old tool may have for the server: that of its own file, and the host. */
  readonly hosts: readonly string[]
  readonly user: string
}

export interface OldEntry {
  /** Latin-1 text of its bytes. */
  readonly uidl: string
  readonly firstSeenMs: number
}

/** RFC 1939: characters from 0x21 to 0x7e. Only such a UIDL is in a record as it is. */
const PLAIN = /^[!-~]{1,1024}$/

/** Can the old tool's record have this UIDL? */
export function isWritable({ uidl }: OldEntry): boolean {
  return PLAIN.test(uidl)
}

/** The record of a mailbox; '' where nothing is to be said. */
export function oldRecord(tool: OldTool, mailbox: OldMailbox, entries: readonly OldEntry[]): string {
  if (entries.length === 0) return ''
  switch (tool) {
    case 'fetchmail':
      return fetchids(mailbox, entries)
    case 'getmail':
      return oldmail(entries)
    case 'mpop':
      return uidls(mailbox, entries)
  }
}

/** `USER@HOST UIDL`; fetchmail knows a mailbox by the name behind `poll`, and keeps lines of mailboxes that it does not know. */
function fetchids({ hosts, user }: OldMailbox, entries: readonly OldEntry[]): string {
  return [...new Set(hosts)].map((host) => entries.map(({ uidl }) => `${user}@${host} ${uidl}\n`).join('')).join('')
}

/** `UIDL NUL SECONDS`; getmail writes `-` for `/`. */
function oldmail(entries: readonly OldEntry[]): string {
  return entries
    .map(({ uidl, firstSeenMs }) => `${uidl.replaceAll('/', '-')}\0${Math.floor(firstSeenMs / 1000)}\n`)
    .join('')
}

/** ` COUNT HOST USER`, then the UIDLs, sorted. Without the seconds that mpop writes from 1.4.23 on: that one reads both, those before
 *  it would take them for a part of the UIDL. */
function uidls({ hosts, user }: OldMailbox, entries: readonly OldEntry[]): string {
  const sorted = [...new Set(entries.map(({ uidl }) => uidl))].toSorted((a, b) => (a < b ? -1 : 1))
  const [host = ''] = hosts
  return ` ${sorted.length} ${host} ${user}\n${sorted.map((uidl) => `${uidl}\n`).join('')}`
}
