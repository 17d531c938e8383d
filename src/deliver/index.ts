// The table of destinations. A new kind is one folder that fulfils destination.ts and one line here; what a kind does not
// use is not loaded. How a kind is configured is in config/destinations/.
import { createHash } from 'node:crypto'
import type { Attempt, Destination } from './destination.ts'
import type { Reserve } from './disk/reserve.ts'
import { labelField, traceField } from './envelope.ts'
import { filledName } from './placeholders.ts'

/** By `type`: loads the kind and gives the function that opens a destination of it. */
const OPENERS = {
  maildir: async () => (await import('./maildir/maildir.ts')).openMaildir,
  mbox: async () => (await import('./mbox/mbox.ts')).openMbox,
  command: async () => (await import('./command/command.ts')).openCommand,
  smtp: async () => (await import('./smtp/smtp.ts')).openSmtp,
  gmail: async () => (await import('./gmail/gmail.ts')).openGmail,
  lmtp: async () => (await import('./smtp/smtp.ts')).openSmtp,
  imap: async () => (await import('./imap/imap.ts')).openImap,
  /** Of a program that embeds popfetch. */
  own: async () => (await import('./own/own.ts')).openOwn,
}

type Openers = typeof OPENERS
type Type = keyof Openers

interface Common {
  /** Puts a `Received:` field on top. */
  readonly trace: boolean
  /** Puts `X-Popfetch-Account:` on top. */
  readonly label: boolean
}

type SettingsOf<T extends Type> = {
  readonly [K in T]: { readonly type: K } & Common & Parameters<Awaited<ReturnType<Openers[K]>>>[0]
}[T]

/** What one destination is opened with: its type, and the settings of its kind. */
export type DestinationSettings = SettingsOf<Type>

export interface DestinationContext {
  readonly hostName: string
  readonly nowMs: () => number
  readonly reserve: Reserve
  /** popfetch's own directory for messages under way. */
  readonly spoolDirectory: string
  readonly env: Readonly<Record<string, string | undefined>>
  /** Only `items` and `reread` are called; they make, repair and lock nothing then. */
  readonly readOnly?: true
}

/** What every kind may use of its surroundings. */
interface OpenContext extends DestinationContext {
  /** The fields to put on top, with CRLF line ends; '' for none. */
  readonly prefix: (attempt: Attempt) => string
}

type Table = {
  readonly [K in Type]: () => Promise<(settings: SettingsOf<K>, context: OpenContext) => Destination>
}

/** Two destinations with the same place are one, whatever they are called. The same server and user, the same path, the same
 *  program with the same words. */
export function placeOf(settings: DestinationSettings): string {
  switch (settings.type) {
    case 'maildir':
    case 'mbox':
      return `${settings.type} ${settings.path}`
    case 'command':
      // The ledger keeps it, and arguments may hold a secret.
      return `command ${createHash('sha256').update(JSON.stringify(settings.run)).digest('hex').slice(0, 32)}`
    case 'own':
      return `own ${settings.name}`
    case 'imap':
      return `imap ${settings.host}:${settings.port} ${settings.user}`
    case 'gmail':
      return `gmail ${settings.endpoint} ${settings.user}`
    case 'smtp':
    case 'lmtp':
      return serverPlace(settings)
  }
}

/** Of such a place, what has troubles of its own: a folder, or labels. A folder that nobody can make holds up its own mail alone. */
export function partOf(settings: DestinationSettings): string {
  const place = placeOf(settings)
  if (settings.type !== 'imap' && settings.type !== 'gmail') return place
  const folder = settings.type === 'imap' ? [filledName(settings.folder, settings.filling)] : []
  const names = [...folder, ...settings.labels]
  return `${place} ${createHash('sha256').update(JSON.stringify(names)).digest('hex').slice(0, 16)}`
}

/** The place of a mail server. */
export function serverPlace(server: {
  readonly type: 'smtp' | 'lmtp'
  readonly host: string
  readonly port: number
  readonly socketPath: string | null
  readonly user: string | null
}): string {
  const { type, host, port, socketPath, user } = server
  return `${type} ${socketPath ?? `${host}:${port}`} ${user ?? ''}`
}

/** A destination of the kind that `type` names. Nothing of the disk or the network is touched before its `ready`. */
export async function openDestination<T extends Type>(
  settings: SettingsOf<T>,
  context: DestinationContext,
): Promise<Destination> {
  const table: Table = OPENERS
  const open = await table[settings.type]()
  return open(settings, { ...context, prefix: fieldsOnTop(settings, context) })
}

/** The fields for the top of a message. They change with the second and the account: most messages get the same text as
 *  the one before. */
function fieldsOnTop({ trace, label }: Common, { hostName, nowMs }: DestinationContext): (attempt: Attempt) => string {
  let last = { account: '', host: '', protocol: '', second: -1, fields: '' }
  return ({ origin }) => {
    const now = nowMs()
    const { account, host, protocol } = origin
    const second = Math.floor(now / 1000)
    if (last.second !== second || last.account !== account || last.host !== host || last.protocol !== protocol) {
      const fields = (trace ? traceField(origin, { hostName, nowMs: now }) : '') + (label ? labelField(account) : '')
      last = { account, host, protocol, second, fields }
    }
    return last.fields
  }
}
