// An SMTP server, to which messages are forwarded. How it delivers is in deliver/smtp/.
import { isUtf8Address } from '../../deliver/address.ts'
import { serverPlace } from '../../deliver/index.ts'
import { isLoopback, usualTls } from '../values/host.ts'
import { formatRate } from '../values/quantity.ts'
import { type Kind, plain } from './kind.ts'
import {
  addresses,
  isThisMachine,
  recipientsText,
  serverConflicts,
  serverSettings,
  shownServer,
  withRecipients,
} from './mail-server.ts'
import type { SmtpKeys } from './schemas/smtp.ts'
import { parseServer, serverText } from './url.ts'

export const smtp: Kind<SmtpKeys> = {
  ...plain,
  url: {
    schemes: ['smtp', 'smtps'],
    forms: ['smtp://[user@]host[:port]?to=ADDRESS', 'smtps://…'],
    read(scheme, rest, forms) {
      const implicit = scheme === 'smtps'
      const server = parseServer(rest, implicit ? ['to'] : ['to', 'tls'], forms)
      return withRecipients(server, { type: 'smtp', ...(implicit ? { tls: 'implicit' } : {}) })
    },
  },
  usualName: 'smtp',
  conflicts: (written) => serverConflicts(written, isThisMachine(written['host'])),
  canonicalUrl(keys) {
    const { host, tls } = keys
    const implicit = tls === 'implicit'
    const unusual = implicit || tls === usualTls(host, 'starttls') ? '' : `&tls=${tls}`
    return `${implicit ? 'smtps' : 'smtp'}:${serverText(keys)}?to=${recipientsText(keys.to)}${unusual}`
  },
  show({ rate: rates, ...keys }) {
    const shown = rates?.map(formatRate) ?? null
    return { ...shownServer(keys), rate: shown?.length === 1 ? shown[0] : shown }
  },
  pace: ({ host, port, user, rate: rates }) =>
    rates === null ? null : { place: serverPlace({ type: 'smtp', host, port, socketPath: null, user }), rates },
  accountTexts: addresses,
  accepts: isUtf8Address,
  recipients: ({ to }) => to,
  unencryptedTo: ({ host, tls }) => (tls === 'none' && !isLoopback(host) ? host : null),
  async settings(config, opening) {
    const description = `smtp ${config.host}:${config.port}`
    return { ...(await serverSettings(config, opening)), protocol: 'smtp', socketPath: null, description }
  },
}
