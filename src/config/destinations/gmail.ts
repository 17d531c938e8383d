// A mailbox at Gmail, reached by its API. How it delivers is in deliver/gmail/.
import { filledLabel } from '../../deliver/gmail/labels.ts'
import { sourceKeys } from '../values/secret.ts'
import { type Kind, plain, secretReader } from './kind.ts'
import type { GmailKeys } from './schemas/gmail.ts'

export const gmail: Kind<GmailKeys> = {
  ...plain,
  usualName: 'gmail',
  // No URL: none can hold a token. Two that differ in the token alone have to be named.
  canonicalUrl: ({ user, labels }) => `gmail:${user}/${labels.map((name) => encodeURIComponent(name)).join(',')}`,
  show: (keys) => ({ ...keys, token: sourceKeys(keys.token) }),
  accountTexts: ({ labels }) => labels,
  // The answer has the id by which Gmail keeps it.
  provesDelivery: () => true,
  settings(config, opening) {
    return {
      ...config,
      labels: [...new Set(config.labels.map((name) => filledLabel(name, opening)))],
      secret: secretReader({ ...config, password: null }, opening),
      description: `gmail ${config.user}`,
    }
  },
}
