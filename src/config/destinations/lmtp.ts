// A mail server that takes messages by LMTP (RFC 2033). How it delivers is in deliver/smtp/.
// The one rule: without TLS, LMTP does not leave this machine and its private networks (D081, D123).
import { isLocalPart, isUtf8Address } from '../../deliver/address.ts'
import type { Conflict, Written } from '../values/written.ts'
import { type Kind, type ParsedUrl, plain } from './kind.ts'
import {
  addresses,
  isThisMachine,
  recipientsText,
  serverConflicts,
  serverSettings,
  shownServer,
  withRecipients,
} from './mail-server.ts'
import { isPrivate } from '../../deliver/network/private-network.ts'
import { parseHost } from '../values/host.ts'
import { isIP } from 'node:net'
import type { LmtpKeys } from './schemas/lmtp.ts'
import { cut, decode, parameters, parseServer, serverText, wrong } from './url.ts'

/** RFC 2033 5 and 6: not over a public network, and never at port 25. A name is looked up when it is connected to. */
function placeConflicts({ host, socket, port, ...written }: Written): readonly Conflict[] {
  if (socket === undefined) {
    const conflicts: Conflict[] = []
    if (host === undefined) conflicts.push({ key: 'socket', expected: 'the path of a Unix socket, or a host' })
    else if (isPublic(host) && (written['tls'] ?? 'none') === 'none') {
      const expected = 'an address of this machine or of a private network; or tls: starttls or implicit with it'
      conflicts.push({ key: 'host', expected })
    }
    if (port === 25) conflicts.push({ key: 'port', expected: 'any but 25, which is for SMTP' })
    return conflicts
  }
  return Object.entries({
    host,
    port,
    tls: written['tls'],
    tlsName: written['tlsName'],
    ca: written['ca'],
    pin: written['pin'],
  })
    .filter(([key, there]) => there !== undefined && !(key === 'tls' && there === 'none'))
    .map(([key]) => ({ key, expected: 'no such key beside a socket' }))
}

function isPublic(host: unknown): boolean {
  const address = typeof host === 'string' ? (parseHost(host) ?? '') : ''
  return isIP(address) !== 0 && !isThisMachine(address) && !isPrivate(address)
}

/** `PATH?to=…`: a Unix socket. */
function parseSocket(text: string): ParsedUrl {
  const [encoded, query] = cut(text, '?')
  const socket = decode(encoded)
  if (socket === null || socket === '') return wrong('lmtp:SOCKET?to=ADDRESS, and a percent sign in a path as %25')
  return parameters({ socket }, query, ['to'])
}

export const lmtp: Kind<LmtpKeys> = {
  ...plain,
  url: {
    schemes: ['lmtp'],
    forms: ['lmtp:SOCKET?to=ADDRESS', 'lmtp://…'],
    read(_, rest, forms) {
      const server = rest.startsWith('//') ? parseServer(rest, ['to', 'tls'], forms) : parseSocket(rest)
      return withRecipients(server, { type: 'lmtp' })
    },
  },
  usualName: 'lmtp',
  conflicts: (written) => [
    ...placeConflicts(written),
    ...serverConflicts(written, written['host'] === undefined || isThisMachine(written['host']), 'none'),
  ],
  canonicalUrl(keys) {
    const { host, socketPath, tls } = keys
    const to = recipientsText(keys.to)
    if (socketPath !== null) return `lmtp:${socketPath.replace(/[%?]/g, encodeURIComponent)}?to=${to}`
    return `lmtp:${serverText({ ...keys, host: host ?? '' })}?to=${to}${tls === 'none' ? '' : `&tls=${tls}`}`
  },
  show({ socketPath, ...keys }) {
    const { timeout, ...shown } = shownServer(keys)
    return { ...shown, socket: socketPath, timeout }
  },
  accountTexts: addresses,
  accepts: (text) => isUtf8Address(text) || isLocalPart(text),
  recipients: ({ to }) => to,
  async settings(config, opening) {
    const { socketPath } = config
    const host = config.host ?? 'localhost'
    const port = config.port ?? 0
    const description = `lmtp ${socketPath ?? `${host}:${port}`}`
    const place = { host, port, socketPath, description }
    // The mailbox is there: nobody sends it back for a loop.
    return { ...(await serverSettings(config, opening)), ...place, protocol: 'lmtp', deliveredTo: 'keep', helo: null }
  },
}
