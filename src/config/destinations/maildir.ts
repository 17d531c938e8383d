// A Maildir: a directory of files, one a message. How it delivers is in deliver/maildir/.
import { filledName } from '../../deliver/placeholders.ts'
import { formatMode } from '../values/quantity.ts'
import { type Kind, plain } from './kind.ts'
import type { MaildirKeys } from './schemas/maildir.ts'
import { pathUrl } from './url.ts'

export const maildir: Kind<MaildirKeys> = {
  ...plain,
  url: pathUrl('maildir'),
  usualName: 'inbox',
  showsWhatItHas: () => true,
  isLocal: ({ shared }) => !shared,
  provesDelivery: () => true,
  canonicalUrl: ({ path }) => `maildir:${path}`,
  show: (keys) => ({ ...keys, mode: formatMode(keys.mode) }),
  accountTexts: ({ path }) => [path],
  settings(config, opening) {
    const path = filledName(config.path, opening)
    return { ...config, path, description: `maildir ${path}` }
  },
}
