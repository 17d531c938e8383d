// An account's row, in the order of ACCOUNT (schema/lease-functions.ts).
import { setImmediate as turn } from 'node:timers/promises'
import type { AccountHealth, AccountRecord, TakingOver } from '../../account.ts'
import type { Row } from '../connection/connection.ts'
import { bytes, isTrue, number, numberOrNull, text } from './cells.ts'

export const ACCOUNT_LENGTH = 19

/** Accounts made of rows before the event loop gets its turn: some milliseconds. */
const ACCOUNTS_PER_TURN = 250

/** Null: there is no such row. */
export function accountOf(row: Row): AccountRecord | null {
  if (row[0] === null || row[0] === undefined) return null
  return {
    name: text(row[0]),
    identity: { host: text(row[1]), port: number(row[2]), user: text(row[3]) },
    started: isTrue(row[4]),
    known: number(row[5]),
    lastPollMs: numberOrNull(row[6]),
    lastSuccessMs: numberOrNull(row[7]),
    failures: number(row[8]),
    refusals: number(row[9]),
    secretMark: numberOrNull(row[10]),
    pausedUntilMs: number(row[11]),
    error: row[12] === null ? null : errorOf(text(row[12])),
    told: row[13] === null ? null : { state: text(row[13]), atMs: number(row[14]) },
    facts: factsOf(row[18] ?? null),
    takingOver: row[17] === null ? null : (JSON.parse(text(row[17])) as TakingOver),
    mark: row[15] === null ? null : { digest: bytes(row[15]), dueMs: numberOrNull(row[16]) },
  }
}

/** Of many rows, with turns for other work. */
export async function accountsOf(rows: readonly Row[]): Promise<readonly AccountRecord[]> {
  const found: AccountRecord[] = []
  for (const [at, row] of rows.entries()) {
    const record = accountOf(row)
    if (record !== null) found.push(record)
    if (at % ACCOUNTS_PER_TURN === ACCOUNTS_PER_TURN - 1) await turn()
  }
  return found
}

function errorOf(json: string): AccountHealth['error'] {
  const { code, message, retry, exit } = JSON.parse(json) as NonNullable<AccountHealth['error']>
  return { code, message, retry, ...(exit === undefined ? {} : { exit }) }
}

/** Names and values in hexadecimal, a blank between the two, a comma between facts. */
function factsOf(cell: Row[number]): Readonly<Record<string, string>> {
  if (typeof cell !== 'string') return {}
  const facts = cell.split(',').map((fact) => {
    const [name = '', value = ''] = fact.split(' ')
    return [Buffer.from(name, 'hex').toString(), Buffer.from(value, 'hex').toString()] as const
  })
  return Object.fromEntries(facts)
}
