// The kinds of destination that can be configured, with their keys and defaults. How each delivers is in deliver/.
// A new kind is a function that makes its schema and one line in `destinationSchemas`.
import * as z from 'zod'
import { common } from './kind.ts'
import { lmtp, smtp, smtpConflicts } from './smtp.ts'
import * as value from '../values/values.ts'
import type { Conflict, Frozen, Written } from '../values/written.ts'
import type { ResolvePath } from '../values/values.ts'

export type MaildirConfig = Frozen<z.output<ReturnType<typeof maildir>>> & { readonly name: string }
export type SmtpConfig = Frozen<z.output<ReturnType<typeof smtp>>> & { readonly name: string }
export type LmtpConfig = Frozen<z.output<ReturnType<typeof lmtp>>> & { readonly name: string }
export type CommandConfig = Frozen<z.output<ReturnType<typeof command>>> & { readonly name: string }
export type MboxConfig = Frozen<z.output<ReturnType<typeof mbox>>> & { readonly name: string }
/** `{ first-of: […] }` of a `deliver`; `of` are names of others. */
export interface FirstOfConfig {
  readonly type: 'first-of'
  readonly name: string
  readonly of: readonly string[]
}
/** As parsed: without a name. */
export type DestinationKeys = z.output<ReturnType<typeof destination>>
export type DestinationConfig = MaildirConfig | SmtpConfig | LmtpConfig | CommandConfig | MboxConfig | FirstOfConfig

/** One schema for all kinds; `type` tells them apart. */
export const destination = value.once((resolve) =>
  z.discriminatedUnion('type', [maildir(resolve), smtp(resolve), lmtp(resolve), command(resolve), mbox(resolve)], {
    error: 'a mapping with a type',
  }),
)

function maildir(resolve: ResolvePath) {
  return value.mapping({
    type: z.literal('maildir'),
    path: value.accountPath(resolve).describe('Directory; {account} stands for the name of the account'),
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
  })
}

const WORDS = 'a list of words: the program, then its arguments'

function command(resolve: ResolvePath) {
  const word = z.string({ error: WORDS }).regex(/^[^\0]*$/, { error: 'words without NUL' })
  const program = value.parsed(WORDS, (text) => {
    if (text === '' || text.includes('\0')) return null
    // A bare name is looked up in PATH; anything else is a path, as everywhere in the file.
    return text.includes('/') ? resolve(text) : text
  })
  return value
    .mapping({
      type: z.literal('command'),
      run: z
        .tuple([program], word, { error: WORDS })
        .describe('Program and arguments, run without a shell; its exit code says what became of the message'),
      timeout: value.timeout.prefault('5m').describe('It is ended, with all it started, when it takes longer'),
      concurrency: value.wholeNumber(1, 50).default(1).describe('How many may run at once'),
      ...common,
    })
    .transform(({ timeout, ...written }) => ({ ...written, timeoutMs: timeout }))
}

function mbox(resolve: ResolvePath) {
  return value.mapping({
    type: z.literal('mbox'),
    path: value
      .accountPath(resolve)
      .describe('File; {account} stands for the name of the account. Made if need be, its directory is not'),
    ...common,
  })
}

/** What no key can say alone; asked whether or not each is right by itself, so that one report names everything. */
export function destinationConflicts(written: Written): readonly Conflict[] {
  return written['type'] === 'smtp' || written['type'] === 'lmtp' ? smtpConflicts(written) : []
}
