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

/** What about port or `tls` does not fit, where the server does not begin as it should; null: nothing is known to. */
export function misfit({ protocol, port, tls, socketPath }: Place): string | null {
  if (socketPath !== null) return null
  const usual = MODES[port]
  if (usual === undefined) return null
  if (!OWN[protocol].includes(port)) return PORTS[protocol]
  return usual === tls || (tls === 'none' && usual === 'starttls') ? null : `port ${port} wants tls: ${usual}`
}

/** Who greets like that, where it is none of ours; null: nobody known. */
export function strangerAt(greeting: string, protocol: Protocol): string | null {
  const who = whoGreets(greeting)
  if (who === null || who === 'IMAP' ? protocol === 'imap' : who === 'SMTP' && protocol !== 'imap') return null
  return who === null
    ? null
    : `this looks like ${who === 'web' ? 'a web' : who === 'POP3' ? 'a POP3' : `an ${who}`} server`
}

function whoGreets(greeting: string): 'POP3' | 'IMAP' | 'SMTP' | 'web' | 'SSH' | null {
  if (/^(?:\+OK|-ERR)/.test(greeting)) return 'POP3'
  if (/^\* (?:OK|PREAUTH|BYE)/.test(greeting)) return 'IMAP'
  if (/^220[ -]/.test(greeting)) return 'SMTP'
  if (greeting.startsWith('HTTP/')) return 'web'
  return greeting.startsWith('SSH-') ? 'SSH' : null
}
