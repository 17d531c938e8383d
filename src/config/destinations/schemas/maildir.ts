// The keys of a Maildir.
import * as z from 'zod'
import { usualMailMode } from '../../../environment.ts'
import { formatMode } from '../../values/quantity.ts'
import * as value from '../../values/values.ts'
import type { Frozen } from '../../values/written.ts'
import { common, SHARED } from './common.ts'

export const maildir = value.once((resolve) =>
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
      .prefault(() => formatMode(usualMailMode(process.env)))
      .describe('Permissions of message files, as four octal digits; new folders match: 0640 gives 0750'),
    date: z
      .enum(['received', 'now'])
      .default('received')
      .describe('File time: when the message was received, or the time of delivery'),
    shared: value.flag.default(false).describe(SHARED),
    ...common,
  }),
)

export type MaildirKeys = Frozen<z.output<ReturnType<typeof maildir>>>
