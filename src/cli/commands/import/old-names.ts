// What an old tool calls the servers of its mailboxes in its record. fetchmail uses the name after `poll`, which need not be
// the host. mpop uses the host as it was written. Read from its own files, where they still are.
import type { AccountIdentity } from '../../../ledger/ledger.ts'
import type { OldTool } from '../../../setup/old-record.ts'
import type { Surroundings } from '../../surroundings.ts'
import { readOldFiles } from './old-files.ts'

/** The names for a mailbox, besides its host; none where the old files do not tell. Never rejects. */
export async function oldNamesOf(
  tool: OldTool,
  surroundings: Surroundings,
): Promise<(identity: AccountIdentity) => readonly string[]> {
  if (tool === 'getmail') return () => []
  const request = { tool, files: [], output: null, record: null, password: null, takeOver: false, mode: 'new' } as const
  const { imported } = await readOldFiles(request, surroundings).catch(() => ({ imported: null }))
  return ({ host, port, user }) =>
    (imported?.accounts ?? []).flatMap((account) =>
      account.host === host && account.port === port && account.user === user ? (account.oldHosts ?? []) : [],
    )
}
