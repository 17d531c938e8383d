// A Maildir: a directory of files, one a message. How it delivers is in deliver/maildir/.
import * as z from 'zod'
import { filledName } from '../../deliver/placeholders.ts'
import * as value from '../values/values.ts'
import { common, kind, plain } from './kind.ts'
import { pathUrl } from './url.ts'

const schema = value.once((resolve) =>
  value.mapping({
    type: z.literal('maildir'),
    path: value
      .accountPath(resolve)
      .describe(
        'Directory; {account} stands for the name of the account, {recipient}, {local}, {domain} for whose mail it is',
      ),
    create: value.flag.default(true).describe('Missing directories are made'),
    lineEndings: z
      .enum(['lf', 'crlf'])
      .default('lf')
      .describe('As most programs expect in files (lf), or as mail travels (crlf)'),
    mode: value.fileMode.prefault('0600').describe('Permissions of a message: four octal digits'),
    date: z
      .enum(['received', 'now'])
      .default('received')
      .describe('Time of the file: when the message was received, or now'),
    ...common,
  }),
)

export const maildir = kind({
  ...plain,
  schema,
  url: pathUrl('maildir'),
  usualName: 'inbox',
  showsWhatItHas: () => true,
  provesDelivery: () => true,
  canonicalUrl: ({ path }) => `maildir:${path}`,
  show: (keys) => ({ ...keys, mode: `0${keys.mode.toString(8)}` }),
  accountTexts: ({ path }) => [path],
  settings(config, opening) {
    const path = filledName(config.path, opening)
    return { ...config, path, description: `maildir ${path}` }
  },
})
