// What the release notes say of files that are refused. For each refusal of other-people.test.ts there is a row that announces
// it; row and refusal name the same command. Nobody is to be refused what worked before without a word.
import { readFileSync } from 'node:fs'
import path from 'node:path'
import type { Kind } from './readers.ts'

const DECIDING: readonly Kind[] = ['configuration', 'secret', 'certificate', 'old file']
const LEDGERS: readonly Kind[] = ['ledger', 'ledger to be read']

interface Note {
  /** Stands in the first column of the row. */
  readonly row: string
  readonly kinds: readonly Kind[]
  /** Names of rows of the table, or how they begin. */
  readonly wrong: readonly string[]
  /** Stands in the last column, and, as far as the name behind it, in the refusal; null: the refusal has words of its own. */
  readonly command: string | null
  /** Only as this user; absent: as any. */
  readonly as?: 'root' | 'others'
}

const CAN_WRITE = ['anybody can write it', 'a group of others can write it']
const CAN_WRITE_ABOVE = [
  'anybody can write its directory',
  'a group of others can write its directory',
  'a directory above that is anybody’s',
]

const NOTES: readonly Note[] = [
  { row: 'file that anybody can write', kinds: DECIDING, wrong: CAN_WRITE, command: 'chmod go-w FILE' },
  { row: 'anybody or the group can write |', kinds: DECIDING, wrong: CAN_WRITE_ABOVE, command: 'chmod go-w DIRECTORY' },
  {
    row: 'the same with a directory above it that belongs to another user',
    kinds: DECIDING,
    wrong: ['its directory belongs to another user'],
    command: 'chown UID DIRECTORY',
  },
  { row: 'with a second name (a hard link)', kinds: DECIDING, wrong: ['it has a second name'], command: 'cp -p FILE' },
  { row: 'behind a symbolic link', kinds: DECIDING, wrong: ['it is a link of another'], command: 'rm LINK' },
  {
    row: 'the same when it is not a regular file',
    kinds: DECIDING,
    wrong: ['it is a named', 'it is a device'],
    command: null,
  },
  {
    row: 'as any user but root',
    kinds: DECIDING,
    wrong: ['it belongs to another user'],
    command: 'chown UID FILE',
    as: 'others',
  },
  {
    row: 'as root: the same when it belongs',
    kinds: DECIDING,
    wrong: ['it belongs to another user'],
    command: 'chown root FILE',
    as: 'root',
  },
  { row: 'file that anybody can read', kinds: ['secret'], wrong: ['anybody can read it'], command: 'chmod 600 FILE' },
  { row: 'a ledger that others can write', kinds: LEDGERS, wrong: CAN_WRITE, command: 'chmod go-w FILE' },
  {
    row: 'a ledger that others can write',
    kinds: LEDGERS,
    wrong: [...CAN_WRITE_ABOVE, 'its directory is sticky'],
    command: 'chmod go-w DIRECTORY',
  },
  {
    row: 'a ledger of another user',
    kinds: LEDGERS,
    wrong: ['it belongs to another user'],
    command: 'chown UID FILE',
    as: 'others',
  },
  {
    row: 'a ledger of another user',
    kinds: LEDGERS,
    wrong: ['it belongs to another user'],
    command: 'chown root FILE',
    as: 'root',
  },
  {
    row: 'below a directory of another user, or behind',
    kinds: LEDGERS,
    wrong: ['its directory belongs to another user'],
    command: 'chown UID DIRECTORY',
  },
  { row: 'or behind another user’s link', kinds: LEDGERS, wrong: ['it is a link of another'], command: 'rm LINK' },
  { row: 'a ledger with a second name', kinds: LEDGERS, wrong: ['it has a second name'], command: 'cp -p FILE' },
  { row: 'or that is not a regular file', kinds: LEDGERS, wrong: ['it is a named', 'it is a device'], command: null },
  {
    row: 'a log or a report of another user',
    kinds: ['log'],
    wrong: ['it belongs to another user', 'it has a second name', 'it is a link of another'],
    command: 'rm FILE',
  },
  {
    row: 'a log or a report of another user',
    kinds: ['log'],
    wrong: ['its directory belongs to another user'],
    command: 'chown UID DIRECTORY',
  },
]

const rows = readFileSync(path.join(import.meta.dirname, '../../.github/CHANGELOG.md'), 'utf8')
  .split('\n')
  .filter((line) => line.startsWith('|'))
  .map((line) => line.replaceAll('’', "'"))

/** What the release notes lack about this refusal; null: nothing. */
export function unannounced(kind: Kind, wrong: string, isRoot: boolean, code: number, message: string): string | null {
  const note = NOTES.find(
    ({ kinds, wrong: begins, as }) =>
      kinds.includes(kind) &&
      begins.some((begin) => wrong === begin || (begin !== 'it belongs to another user' && wrong.startsWith(begin))) &&
      (as === undefined || (as === 'root') === isRoot),
  )
  if (note === undefined) return 'no row is about it'
  const row = rows.find((each) => each.includes(note.row.replaceAll('’', "'")))
  if (row === undefined) return `no row says "${note.row}"`
  const [, , exit = '', mends = ''] = row.split('|')
  // Without a code of its own: the program goes on.
  if (code !== -1 && !exit.includes(String(code))) return `the row "${note.row}" does not say ${code}`
  if (note.command === null) return null
  if (!mends.includes(note.command)) return `the row "${note.row}" does not say "${note.command}"`
  const begin = note.command.replace('UID', '\\d+').replace(/ [A-Z]+$/, ' ')
  return new RegExp(begin).test(message) || /EACCES/.test(message)
    ? null
    : `it does not say "${note.command}": ${message}`
}
