// What a wrong host or port looks like from here: another protocol's greeting, a port that is known for another TLS mode. Words for
// people; nothing is decided by them.
type Protocol = 'smtp' | 'lmtp' | 'imap'

export interface Place {
  readonly protocol: Protocol
  readonly port: number
  readonly tls: 'starttls' | 'implicit' | 'none'
  /** A Unix socket has no port. */
  readonly socketPath: string | null
}

const MODES: Readonly<Record<number, 'starttls' | 'implicit'>> = {
  25: 'starttls',
  587: 'starttls',
  465: 'implicit',
  143: 'starttls',
  993: 'implicit',
  110: 'starttls',
  995: 'implicit',
}

const PORTS: Readonly<Record<Protocol, string>> = {
  smtp: 'is this the submission port (587 or 465)?',
  lmtp: 'is this the LMTP port or socket?',
  imap: 'is this the IMAP port (993 or 143)?',
}

const OWN: Readonly<Record<Protocol, readonly number[]>> = {
  smtp: [25, 465, 587],
  lmtp: [24],
  imap: [143, 993],
}

/** The port that was meant. */
export function portQuestion({ protocol }: Place): string {
  return PORTS[protocol]
}

/** How a server of another mode shows itself: it says nothing, or it does not shake hands. */
export type Oddity = 'silent greeting' | 'silent handshake' | 'no STARTTLS' | 'other'

/** On a port of which nothing is known. */
const PERHAPS: Readonly<Record<Oddity, string | null>> = {
  'silent greeting': 'it hangs, or waits for TLS from the first byte: is tls: implicit meant?',
  'silent handshake': 'does this port speak TLS? tls: starttls begins without it',
  'no STARTTLS': 'is tls: implicit meant, or another port?',
  other: null,
}

/** What about port or `tls` does not fit, where the server does not begin as it should; null: nothing is known to. */
export function misfit({ protocol, port, tls, socketPath }: Place, oddity: Oddity = 'other'): string | null {
  if (socketPath !== null) return null
  const usual = MODES[port]
  if (usual === undefined) return oddity === 'silent greeting' && tls === 'implicit' ? null : PERHAPS[oddity]
  if (!OWN[protocol].includes(port)) return PORTS[protocol]
  return usual === tls || (tls === 'none' && usual === 'starttls') ? null : `port ${port} wants tls: ${usual}`
}

/** Who greets like that, where it is not one of ours; null: nobody known. */
export function strangerAt(greeting: string, protocol: Protocol): string | null {
  const who = whoGreets(greeting)
  if (who === null || who === 'IMAP' ? protocol === 'imap' : isSmtp(who) && protocol !== 'imap') return null
  return who === null ? null : `this looks like ${WITH_ARTICLE[who]} server`
}

export type Greeter = 'POP3' | 'IMAP' | 'SMTP' | 'LMTP' | 'FTP' | 'web' | 'SSH' | 'ManageSieve'

export const WITH_ARTICLE: Readonly<Record<Greeter, string>> = {
  POP3: 'a POP3',
  IMAP: 'an IMAP',
  SMTP: 'an SMTP',
  LMTP: 'an LMTP',
  FTP: 'an FTP',
  web: 'a web',
  SSH: 'an SSH',
  ManageSieve: 'a ManageSieve',
}

function isSmtp(who: Greeter | null): boolean {
  return who === 'SMTP' || who === 'LMTP'
}

/** By its first line; null: nobody known. */
export function whoGreets(greeting: string): Greeter | null {
  if (/^(?:\+OK|-ERR)/i.test(greeting)) return 'POP3'
  if (/^\* (?:OK|PREAUTH|BYE)/i.test(greeting)) return 'IMAP'
  if (/^[245]\d\d(?:[ -]|$)/.test(greeting)) {
    if (/\bLMTP\b/i.test(greeting)) return 'LMTP'
    return /\b(?:FTP|FileZilla|vsFTPd|ProFTPD)\b/i.test(greeting) ? 'FTP' : 'SMTP'
  }
  if (greeting.startsWith('HTTP/')) return 'web'
  if (greeting.startsWith('"IMPLEMENTATION"')) return 'ManageSieve'
  return greeting.startsWith('SSH-') ? 'SSH' : null
}
