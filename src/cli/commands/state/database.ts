// The operations of `popfetch state` that are about a file, where the ledger is in a database. What PostgreSQL's own programs do better
// is said in one line, with the program's name.
import type { Outline } from '../../../config/outline.ts'
import { type Postgres, postgresUrl, SCHEMA } from '../../../config/state/postgres.ts'
import { shellQuoted } from '../../../program.ts'
import { EXIT_OK } from '../../../status/exit.ts'
import { counted } from '../../../status/words/amounts.ts'
import { refusal } from '../../command-errors.ts'
import type { CommonOptions } from '../../common-options.ts'
import { openToRead } from '../../open/read-ledger.ts'
import type { Surroundings } from '../../surroundings.ts'
import { openToChange } from './opened.ts'

/** Throws ERR_USAGE. */
export function refuseForDatabase(operation: 'backup' | 'restore' | 'repair', postgres: Postgres): never {
  const url = shellQuoted(postgresUrl({ ...postgres, schema: SCHEMA, tls: false }))
  const dump = `pg_dump -Fc --schema=${postgres.schema} --file=FILE ${url}`
  const back = `pg_restore --clean --dbname=${url} FILE`
  const how = {
    backup: `copies a file, and this ledger is in a database: use ${dump}`,
    restore: `puts back a file, and this ledger is in a database: stop popfetch on all machines, then ${back}`,
    repair: `repairs a file, and this ledger is in a database: ask pg_amcheck; ${back} puts a dump back`,
  }
  throw refusal(`state ${operation} ${how[operation]}`)
}

/** That it can be used, and what is in it. Rejects with ERR_LEDGER. */
export async function checkDatabase(
  { json }: Pick<CommonOptions, 'json'>,
  outline: Outline,
  surroundings: Surroundings,
): Promise<number> {
  const { output } = surroundings
  await using ledger = await openToRead(outline, surroundings)
  const records = await ledger.accounts()
  const [accounts, messages] = [records.length, records.reduce((sum, { known }) => sum + known, 0)]
  if (json) output.object({ ok: true, ledger: ledger.place, accounts, messages, faults: [] })
  else {
    const what = `${counted(messages, 'message')} of ${counted(accounts, 'account')}`
    output.answer(`the ledger ${ledger.place} can be used: ${what}; whether its database is sound, pg_amcheck tells`)
  }
  return EXIT_OK
}

/** Every opening brings a database up to date; nothing is taken away yet. Rejects with ERR_LEDGER. */
export async function upgradeDatabase(
  { json }: Pick<CommonOptions, 'json'>,
  outline: Outline,
  surroundings: Surroundings,
): Promise<number> {
  const { output } = surroundings
  await using ledger = await openToChange({ outline, surroundings })
  if (json) output.object({ ok: true, ledger: ledger.place, upgraded: false, kept: null })
  else output.answer(`the ledger ${ledger.place} needs no upgrade`)
  return EXIT_OK
}
