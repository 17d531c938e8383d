// What `popfetch import` may be told: an old tool, and its files where they are not in their usual places.
import type { Command } from '../../command.ts'
import type { CommonOptions } from '../../common-options.ts'
import { file, flag, oneOf } from '../../option.ts'
import { usageError } from '../../command-errors.ts'

export const TOOLS = ['fetchmail', 'getmail', 'mpop', 'thunderbird'] as const
export type Tool = (typeof TOOLS)[number]

const IMPORT = {
  output: file('Write the configuration to this file; - prints it, without passwords'),
  record: file('The record of seen messages, where it is elsewhere (getmail: its directory)'),
  'take-over': flag('What the old tool fetched counts as delivered, so that an age in delete covers it'),
} as const

export interface ImportRequest {
  readonly tool: Tool
  /** As typed; empty: those in the usual places of the tool. */
  readonly files: readonly string[]
  readonly output: string | null
  readonly record: string | null
  readonly takeOver: boolean
}

export type ImportInvocation = CommonOptions & ImportRequest

export const command: Command<ImportRequest> = {
  usage: '[tool] [file...]',
  describe: 'Take over the configuration and record of fetchmail, getmail, mpop or Thunderbird',
  options: [{ heading: 'Importing:', options: IMPORT }],
  examples: [],
  notes: `  fetchmail    ~/.fetchmailrc and ~/.fetchids
  getmail      getmailrc, or every file, in ~/.config/getmail or ~/.getmail
  mpop         ~/.mpoprc or ~/.config/mpop/config, and ~/.mpop_uidls
  thunderbird  the POP3 accounts of the usual profile, or of the folder that is named

Messages that the old tool has fetched are remembered: popfetch neither fetches
nor deletes them. With --take-over they count as delivered: delete covers them, from
when the old tool saw them, or from now, after one look at their header. What has no counterpart becomes a comment in the new file.
Passwords of Thunderbird are not read. A file that is there is never overwritten.`,
  completes: { words: TOOLS, accounts: false },
  request(given) {
    const [named, ...files] = given.words
    const { output, record, 'take-over': isTakenOver } = given.options(IMPORT)
    if (named === undefined) throw usageError(`import needs one of ${TOOLS.join(', ')}`)
    const tool = oneOf(TOOLS, 'import TOOL', named)
    if (tool !== 'getmail' && files.length > 1) throw usageError(`import ${tool} takes one file`)
    return { tool, files, output, record, takeOver: isTakenOver }
  },
}
