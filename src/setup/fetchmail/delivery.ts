// Where fetchmail put mail, as destinations. It forwarded to an SMTP server, by default that of its own machine, unless an `mda`
// or a file was named. Pure.
import { isLoopback } from '../../config/values/host.ts'
import type { Written } from '../../config/values/written.ts'
import { display } from '../../display.ts'
import { shellLine } from '../delivery-command.ts'
import type { FetchmailUser, Options } from './grammar.ts'
import { hostOf, present, type ImportContext } from '../imported.ts'

export interface FetchmailDelivery {
  readonly deliver: readonly Written[]
  readonly remarks: readonly string[]
}

export function fetchmailDelivery(
  server: Options,
  { local, options }: FetchmailUser,
  context: ImportContext,
): FetchmailDelivery {
  const remarks: string[] = []
  const recipient = recipientNamed(local, context)
  const { mda, bsmtp } = options
  if (typeof bsmtp === 'string') {
    remarks.push('bsmtp: popfetch cannot write this format: mail goes into an mbox instead')
    return { deliver: [{ type: 'mbox', path: `${bsmtp}.mbox` }], remarks }
  }
  if (typeof mda === 'string') {
    const moved = shellLine(mda, recipient, context.env)
    return { deliver: [moved.destination], remarks: [...remarks, ...moved.remarks] }
  }
  return { deliver: [forwarded(server, options, recipient, remarks)], remarks }
}

/** The first name behind `is`, or the user's own. */
export function recipientNamed(local: FetchmailUser['local'], { localUser }: ImportContext): string {
  // `theirs=ours`: only the name on this side counts.
  const ours = (name: string): string => name.slice(name.indexOf('=') + 1)
  const first = local.find((name) => ours(name) !== '*' && ours(name) !== '')
  return first === undefined ? localUser : ours(first)
}

function forwarded(server: Options, options: Options, recipient: string, remarks: string[]): Written {
  const listeners = Array.isArray(options['smtphost']) ? options['smtphost'] : []
  const [listener = 'localhost', ...others] = listeners.map(String)
  if (others.length > 0) remarks.push('smtphost: only the first is used; write another as a destination of its own')
  if (listener.startsWith('/')) return { type: 'lmtp', socket: listener, to: recipient }
  const [host = 'localhost', ...said] = listener.split('/')
  const { port, tls } = sayings(said, remarks)
  const type = options['lmtp'] === true ? 'lmtp' : 'smtp'
  const domain = typeof options['smtpaddress'] === 'string' ? options['smtpaddress'] : host
  const to = typeof options['smtpname'] === 'string' ? options['smtpname'] : addressed(recipient, domain)
  const local = isLoopback(hostOf(host))
  if (!local && tls === null)
    remarks.push(`the way to ${display(host, 80)} is encrypted now (tls: starttls), or not used`)
  if (!local && tls === 'none') remarks.push(`the way to ${display(host, 80)} is not encrypted, as it was`)
  const { esmtpname, esmtppassword } = server
  return present({
    type,
    host: hostOf(host),
    port: port ?? (type === 'smtp' && !local ? usualPort(tls) : null),
    tls: tls === 'none' && local ? null : tls,
    user: typeof esmtpname === 'string' ? esmtpname : null,
    password: typeof esmtppassword === 'string' ? esmtppassword : null,
    to,
  })
}

/** fetchmail's: from 6.6 on with TLS those of submission. */
function usualPort(tls: Said['tls']): number {
  return tls === 'implicit' ? 465 : tls === 'starttls' ? 587 : 25
}

/** A port may be named. */
const SERVICES: Readonly<Record<string, number>> = { smtp: 25, smtps: 465, submissions: 465, submission: 587, lmtp: 24 }

interface Said {
  readonly port: number | null
  readonly tls: 'implicit' | 'starttls' | 'none' | null
}

const TLS: Readonly<Record<string, Said['tls']>> = { tls: 'implicit', starttls: 'starttls', notls: 'none' }

/** What follows the host: a port, and from 6.5 on `starttls`, `tls`, `notls` and `tlsproto=…` (M008, a port that is none). */
function sayings(said: readonly string[], remarks: string[]): Said {
  let port: Said['port'] = null
  let tls: Said['tls'] = null
  for (const word of said) {
    const name = word.toLowerCase()
    if (/^\d{1,5}$/.test(word) && Number(word) > 0 && Number(word) < 65_536) port = Number(word)
    else if (Object.hasOwn(SERVICES, name)) port = SERVICES[name] ?? null
    else if (Object.hasOwn(TLS, name)) tls = TLS[name] ?? null
    else if (name.startsWith('tlsproto=')) remarks.push('smtphost …/tlsproto: TLS 1.2 or newer, as the system has it')
    else remarks.push(`smtphost …/${display(word, 40)}: popfetch does not know this word of the old file`)
  }
  return { port, tls }
}

function addressed(recipient: string, domain: string): string {
  return recipient.includes('@') ? recipient : `${recipient}@${domain}`
}
