// What `popfetch import` may be told: an old tool, and its files where they are not in their usual places.
import type { Command } from '../../command.ts'
import { PASSWORD, passwordPlace, type CommonOptions, type PasswordPlace } from '../../common-options.ts'
import { file, flag, oneOf } from '../../option.ts'
import { usageError } from '../../command-errors.ts'

export const TOOLS = ['fetchmail', 'getmail', 'mpop', 'thunderbird'] as const
export type Tool = (typeof TOOLS)[number]

const IMPORT = {
  output: file('Write the configuration to this file; - prints it, without passwords'),
  record: file('Location of the record of seen messages (getmail: its directory)'),
  ...PASSWORD,
  'take-over': flag('What the old tool fetched counts as delivered, so that an age in delete covers it'),
  trial: flag('Write accounts that run beside the old tool: nothing is deleted, mail goes into a Maildir of the trial'),
  'record-only': flag('Read the record again into the configured accounts; writes no configuration'),
  'finish-trial': flag('Compare both sides, and let the accounts of the trial take over'),
} as const

/** `new`: a configuration is written. `trial`: one that runs beside the old tool. The others change accounts that are there. */
export type ImportMode = 'new' | 'trial' | 'record-only' | 'finish-trial'

export interface ImportRequest {
  readonly tool: Tool
  /** As typed; empty: those in the usual places of the tool. */
  readonly files: readonly string[]
  readonly output: string | null
  readonly record: string | null
  /** Where the passwords are that no old file has; null: nobody said. */
  readonly password: PasswordPlace | null
  readonly takeOver: boolean
  readonly mode: ImportMode
}

export type ImportInvocation = CommonOptions & ImportRequest

export const command: Command<ImportRequest> = {
  usage: '[tool] [file...]',
  describe: 'Import configuration and download history from fetchmail, getmail, mpop or Thunderbird',
  options: [{ heading: 'Options for import:', options: IMPORT }],
  exits: [0, 64, 74, 75, 78],
  examples: [
    ['popfetch import fetchmail', 'Import from the usual places'],
    ['popfetch import getmail ~/work.rc --output -', 'Print the configuration only'],
  ],
  notes: `  fetchmail    ~/.fetchmailrc and ~/.fetchids
  getmail      getmailrc, or every file, in ~/.config/getmail or ~/.getmail
  mpop         ~/.mpoprc or ~/.config/mpop/config, and ~/.mpop_uidls
  thunderbird  the POP3 accounts of the default profile, or of the given folder

Messages that the old tool has fetched are remembered: popfetch neither fetches
nor deletes them. With --take-over they count as delivered, and delete applies to
them, from when the old tool first saw them or from now.

To try popfetch first, use --trial and run both side by side for a while. Then
stop the old tool and use --finish-trial: it shows what each side had that the
other had not, counts what the old tool had as seen, and delivers the rest. To go
back: popfetch state export --as TOOL.

Settings without an equivalent become comments in the new file. Thunderbird's
passwords are encrypted: popfetch asks for them on a terminal, or reads them with
--password-…. An existing file is never overwritten.`,
  completes: { words: TOOLS, accounts: false },
  request(given) {
    const [named, ...files] = given.words
    const options = given.options(IMPORT)
    const { output, record, 'take-over': takeOver } = options
    const modes = (['trial', 'record-only', 'finish-trial'] as const).filter((name) => options[name])
    const [mode = 'new', second] = modes
    if (second !== undefined) throw usageError(`--${mode} and --${second} cannot be combined`)
    if (mode === 'trial' && takeOver) throw usageError('--take-over is for --finish-trial: a trial deletes nothing')
    if ((mode === 'record-only' || mode === 'finish-trial') && output !== null)
      throw usageError(`--${mode} writes no new file and cannot be combined with --output`)
    if (named === undefined) throw usageError(`import needs one of ${TOOLS.join(', ')}`)
    const tool = oneOf(TOOLS, 'import TOOL', named)
    if (tool !== 'getmail' && files.length > 1) throw usageError(`import ${tool} takes one file`)
    return { tool, files, output, record, password: passwordPlace(options), takeOver, mode }
  },
}
