// `popfetch state export --as fetchmail|getmail|mpop`: the way back to an old tool. Its record gets all that popfetch knows as
// delivered or seen, so that the old tool does not fetch it again. What is not delivered everywhere is left to the old tool:
// twice beats never.
import { resolvePath } from '../../../config/paths.ts'
import type { AccountRecord } from '../../../ledger/ledger.ts'
import { isWritable, type OldEntry, oldRecord, type OldTool } from '../../../setup/old-record.ts'
import { usageError } from '../../command-errors.ts'
import { writeNewFile } from '../../open/new-file.ts'
import { requireAccount, type LedgerContext } from '../../open/read-ledger.ts'
import { counted } from '../../../status/words/amounts.ts'
import { oldNamesOf } from '../import/old-names.ts'

export interface ExportAs {
  readonly account: string | null
  readonly as: OldTool
  readonly output: string | null
}

/** Rejects with ERR_USAGE, and with ERR_CONFIG where a file is in the way. */
export async function exportAs(wanted: ExportAs, context: LedgerContext): Promise<void> {
  const { account: only, as: tool, output: named } = wanted
  const { outline, ledger, surroundings, json } = context
  const { output, cwd, env } = surroundings
  if (only !== null) await requireAccount(only, outline, ledger)
  const records = (await ledger.accounts()).filter(({ name }) => only === null || name === only)
  if (tool === 'getmail' && records.length > 1)
    throw usageError('getmail has a record for each mailbox: give one account')
  const namesOf = await oldNamesOf(tool, surroundings)
  const texts: string[] = []
  const told: { account: string; messages: number; left: number }[] = []
  for (const record of records) {
    const { entries, left } = await entriesOf(record, context)
    const { host, user } = record.identity
    texts.push(oldRecord(tool, { hosts: [...namesOf(record.identity), host], user }, entries))
    told.push({ account: record.name, messages: entries.length, left })
  }
  const text = texts.join('')
  if (named === null || named === '-') output.file(text)
  else await writeNewFile(resolvePath(named, cwd, env), text, `the record of ${tool}`)
  if (json && named !== null && named !== '-') output.object({ ok: true, accounts: told })
  else for (const each of told) output.note(lineOf(each, tool))
}

function lineOf(
  { account, messages, left }: { account: string; messages: number; left: number },
  tool: OldTool,
): string {
  const known = `${account}: ${counted(messages, 'message')} that ${tool} need not fetch`
  return left === 0
    ? known
    : `${known}; it will fetch ${left} that are not delivered yet, or that its record cannot hold`
}

async function entriesOf(
  { name }: AccountRecord,
  { ledger, surroundings }: LedgerContext,
): Promise<{ readonly entries: readonly OldEntry[]; readonly left: number }> {
  const entries: OldEntry[] = []
  let left = 0
  for await (const slice of ledger.records.list(name, 'all')) {
    surroundings.signal.throwIfAborted()
    for (const { key, state, firstSeenMs, goneSinceMs } of slice) {
      if (goneSinceMs !== null) continue
      const entry = { uidl: key.uidl, firstSeenMs }
      if ((state === 'delivered' || state === 'seen') && key.copy === 0 && isWritable(entry)) entries.push(entry)
      else left += 1
    }
  }
  return { entries, left }
}
