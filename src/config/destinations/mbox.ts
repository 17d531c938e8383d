// An mbox: one file that holds all messages. How it delivers is in deliver/mbox/.
import { filledName } from '../../deliver/placeholders.ts'
import { type Kind, plain } from './kind.ts'
import type { MboxKeys } from './schemas/mbox.ts'
import { pathUrl } from './url.ts'

export const mbox: Kind<MboxKeys> = {
  ...plain,
  url: pathUrl('mbox'),
  usualName: 'mbox',
  canonicalUrl: ({ path }) => `mbox:${path}`,
  show: (keys) => keys,
  // By the fields on top.
  showsWhatItHas: ({ trace }) => trace,
  isLocal: ({ shared }) => !shared,
  provesDelivery: ({ trace }) => trace,
  accountTexts: ({ path }) => [path],
  settings(config, opening) {
    const path = filledName(config.path, opening)
    return { ...config, path, description: `mbox ${path}` }
  },
}
