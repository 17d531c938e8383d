// The words after `popfetch import` → what is to be taken over, or a usage error. Reading argv is options.ts. Pure.
import { usageError } from '../../usage.ts'

const text = (describe: string) => ({ type: 'string', nargs: 1, requiresArg: true, describe }) as const

export const TOOLS = ['fetchmail', 'getmail', 'mpop'] as const
export type Tool = (typeof TOOLS)[number]

export const IMPORT_OPTIONS = {
  output: text('Write the configuration to this file; - prints it, without passwords'),
  record: text('The record of seen messages, where it is elsewhere (getmail: its directory)'),
} as const

export const IMPORT = `  fetchmail  ~/.fetchmailrc and ~/.fetchids
  getmail    getmailrc, or every file, in ~/.config/getmail or ~/.getmail
  mpop       ~/.mpoprc or ~/.config/mpop/config, and ~/.mpop_uidls

Messages that the old tool has fetched are remembered: popfetch neither fetches
nor deletes them. What has no counterpart becomes a comment in the new file.
A file that is there is never overwritten.`

export interface ImportRequest {
  readonly tool: Tool
  /** As typed; empty: where the tool has them. */
  readonly files: readonly string[]
  readonly output: string | null
  readonly record: string | null
}

export function importRequest(given: Omit<ImportRequest, 'tool'> & { readonly tool: Tool | undefined }): ImportRequest {
  const { tool, files, output, record } = given
  if (tool === undefined) throw usageError(`import needs one of ${TOOLS.join(', ')}`)
  if (tool !== 'getmail' && files.length > 1) throw usageError(`import ${tool} takes one file`)
  return { tool, files, output, record }
}
