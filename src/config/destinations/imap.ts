// A folder of an IMAP server. How it delivers is in deliver/imap/.
// The one rule: nothing here lets a secret leave this machine unencrypted.
import { filledLabel } from '../../deliver/gmail/labels.ts'
import { filledName } from '../../deliver/placeholders.ts'
import { isLoopback } from '../values/host.ts'
import { formatDuration, formatSize } from '../values/quantity.ts'
import { keyOfConfiguration, pem, sourceKeys } from '../values/secret.ts'
import { pinKeys } from '../values/pins.ts'
import type { Conflict, Written } from '../values/written.ts'
import { type Kind, plain, secretReader } from './kind.ts'
import { isThisMachine, serverConflicts } from './mail-server.ts'
import type { ImapKeys } from './schemas/imap.ts'
import { cut, decode, parseServer, serverText, wrong } from './url.ts'

function conflicts(written: Written): readonly Conflict[] {
  const { tls, host } = written
  const usual = typeof host === 'string' && isThisMachine(host) ? 'none' : 'implicit'
  const found = serverConflicts({ ...written, tls: tls ?? usual }, isThisMachine(host))
  const { token, auth } = written
  if (token !== undefined && auth !== undefined && auth !== 'auto') {
    return [...found.filter(({ key }) => key !== 'auth'), { key: 'auth', expected: 'no such key with a token' }]
  }
  return found
}

export const imap: Kind<ImapKeys> = {
  ...plain,
  url: {
    schemes: ['imap', 'imaps'],
    forms: ['imaps://user@host[:port][/FOLDER]', 'imap://…'],
    read(scheme, rest, forms) {
      const [address, query] = cut(rest, '?')
      const parts = /^(\/\/[^/]*)(?:\/(.*))?$/s.exec(address)
      if (parts === null) return wrong(forms)
      const [, server = '', encoded = ''] = parts
      const named = decode(encoded)
      if (named === null) return wrong('a percent sign in a folder as %25')
      const tail = query === '' ? '' : `?${query}`
      const parsed = parseServer(`${server}${tail}`, scheme === 'imaps' ? [] : ['tls'], forms)
      if (parsed.kind === 'wrong') return parsed
      if (parsed.written['user'] === undefined) return wrong('a user: imaps://user@host')
      const local = isThisMachine(parsed.written['host'])
      const tls = scheme === 'imaps' ? 'implicit' : local ? 'none' : 'starttls'
      const written = { type: 'imap', tls, ...parsed.written, ...(named === '' ? {} : { folder: named }) }
      return { kind: 'written', written }
    },
  },
  usualName: 'imap',
  conflicts,
  showsWhatItHas: ({ trace }) => trace,
  provesDelivery: ({ trace }) => trace,
  canonicalUrl(keys) {
    const { host, tls, folder: name } = keys
    const implicit = tls === 'implicit'
    const usual = isLoopback(host) ? 'none' : 'starttls'
    const path = name === 'INBOX' ? '' : `/${name.replace(/[%?]/g, encodeURIComponent)}`
    return `${implicit ? 'imaps' : 'imap'}:${serverText(keys)}${path}${implicit || tls === usual ? '' : `?tls=${tls}`}`
  },
  show({ timeoutMs, maxSize, ...keys }) {
    return {
      ...keys,
      pin: pinKeys(keys.pin),
      password: sourceKeys(keys.password),
      token: sourceKeys(keys.token),
      timeout: timeoutMs === null ? null : formatDuration(timeoutMs),
      maxSize: formatSize(maxSize),
    }
  },
  accountTexts: ({ folder: name, labels }) => [name, ...labels],
  unencryptedTo: ({ host, tls }) => (tls === 'none' && !isLoopback(host) ? host : null),
  async settings(config, opening) {
    const { host, port, ca, token, labels } = config
    const { account, mailbox } = opening
    const name = filledName(config.folder, opening)
    const { tls, tlsName, pin, user, password, auth, concurrency, timeoutMs } = config
    const session = [host, port, tls, tlsName, ca, pin, user, password, token, auth, concurrency, timeoutMs]
    return {
      ...config,
      filling: { account, mailbox },
      labels: labels.map((text) => filledLabel(text, opening)),
      ca: ca === null ? null : await pem(ca),
      secret: secretReader(config, opening),
      byToken: token !== null,
      sharing: keyOfConfiguration(session),
      description: `imap ${host}:${port} ${name}`,
    }
  },
}
