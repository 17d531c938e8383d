// A Maildir: a directory of files, one a message. How it delivers is in deliver/maildir/.
import * as z from 'zod'
import { usualMailMode } from '../../environment.ts'
import { filledName } from '../../deliver/placeholders.ts'
import * as value from '../values/values.ts'
import { common, kind, plain } from './kind.ts'
import { pathUrl } from './url.ts'

const schema = value.once((resolve) =>
  value.mapping({
    type: z.literal('maildir'),
    path: value.accountPath(resolve).describe('Directory; may contain {account}, {recipient}, {local} and {domain}'),
    create: value.flag.default(true).describe('Create missing directories'),
    lineEndings: z
      .enum(['lf', 'crlf'])
      .default('lf')
      .describe('Line ends: lf, as most programs expect in files, or crlf, as mail is sent'),
    mode: value.fileMode
      // A container may have UMASK.
      .prefault(() => octal(usualMailMode(process.env)))
      .describe('Permissions of message files, as four octal digits; new folders match: 0640 gives 0750'),
    date: z
      .enum(['received', 'now'])
      .default('received')
      .describe('File time: when the message was received, or the time of delivery'),
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
  show: (keys) => ({ ...keys, mode: octal(keys.mode) }),
  accountTexts: ({ path }) => [path],
  settings(config, opening) {
    const path = filledName(config.path, opening)
    return { ...config, path, description: `maildir ${path}` }
  },
})

function octal(mode: number): string {
  return `0${mode.toString(8)}`
}
