// An mbox: one file that holds all messages. How it delivers is in deliver/mbox/.
import * as z from 'zod'
import { filledName } from '../../deliver/placeholders.ts'
import * as value from '../values/values.ts'
import { common, kind, plain } from './kind.ts'
import { pathUrl } from './url.ts'

const schema = value.once((resolve) =>
  value.mapping({
    type: z.literal('mbox'),
    path: value
      .accountPath(resolve)
      .describe(
        'File; may contain {account}, {recipient}, {local} and {domain}. Created if missing, but its directory is not',
      ),
    ...common,
  }),
)

export const mbox = kind({
  ...plain,
  schema,
  url: pathUrl('mbox'),
  usualName: 'mbox',
  canonicalUrl: ({ path }) => `mbox:${path}`,
  show: (keys) => keys,
  // By the fields on top.
  showsWhatItHas: ({ trace }) => trace,
  provesDelivery: ({ trace }) => trace,
  accountTexts: ({ path }) => [path],
  settings(config, opening) {
    const path = filledName(config.path, opening)
    return { ...config, path, description: `mbox ${path}` }
  },
})
