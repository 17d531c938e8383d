// The ledger's tables, as the steps that led to them. `user_version` counts the steps a file has been through (version.ts); each
// runs in one transaction (K14). A step that was released is never edited: add another one below it. Steps only add; what takes away
// waits for `popfetch state upgrade` (REMOVALS, mend/upgrade.ts).
import { randomBytes } from 'node:crypto'
import { open, readdir, rename, rm } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import type { DatabaseSync } from 'node:sqlite'
import { damaged, whenFree } from '../rows/fault.ts'
import { readVersion, refuseNewer, userVersionOf, type Version } from './version.ts'

/** Marks a SQLite file as a popfetch ledger: "popf" in ASCII. Any other file is refused, not converted. */
export const APPLICATION_ID = 0x706f7066

// Numbers for states (see row.ts) and integer message ids keep a settled message at about 150 bytes.
// `message.state` 4 is an open message with a refused delivery: counted by the partial index, which no other message
// ever enters. `account.known` is kept in step with the inserts, for counting a million rows takes 50 ms.
const FIRST = `
  CREATE TABLE account (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    host TEXT NOT NULL, port INTEGER NOT NULL, user TEXT NOT NULL,
    started INTEGER NOT NULL DEFAULT 0,
    known INTEGER NOT NULL DEFAULT 0,
    last_poll_ms INTEGER, last_success_ms INTEGER,
    failures INTEGER NOT NULL DEFAULT 0, refusals INTEGER NOT NULL DEFAULT 0,
    secret_mark INTEGER, paused_until_ms INTEGER NOT NULL DEFAULT 0,
    error TEXT,
    told_state TEXT, told_ms INTEGER,
    facts TEXT NOT NULL DEFAULT '{}'
  ) STRICT;

  CREATE TABLE message (
    id INTEGER PRIMARY KEY,
    account INTEGER NOT NULL, uidl BLOB NOT NULL, copy INTEGER NOT NULL,
    state INTEGER NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0,
    first_seen_ms INTEGER NOT NULL,
    listed_bytes INTEGER, received_bytes INTEGER,
    fingerprint BLOB, digest BLOB,
    retry_after_ms INTEGER NOT NULL DEFAULT 0,
    deletions INTEGER NOT NULL DEFAULT 0,
    reason TEXT,
    message_id TEXT,
    delivered_ms INTEGER, deleted_ms INTEGER, last_listed_ms INTEGER, gone_since_ms INTEGER,
    UNIQUE (account, uidl, copy)
  ) STRICT;
  CREATE INDEX message_trouble ON message (account, state) WHERE state IN (3, 4);
  CREATE INDEX message_copies ON message (account, uidl) WHERE copy > 0;
  CREATE INDEX message_gone ON message (account) WHERE gone_since_ms IS NOT NULL;

  CREATE TABLE delivery (
    message INTEGER NOT NULL, destination TEXT NOT NULL, recipient TEXT NOT NULL,
    state INTEGER NOT NULL,
    intent TEXT NOT NULL,
    attempts INTEGER NOT NULL, unknowns INTEGER NOT NULL DEFAULT 0,
    retry_after_ms INTEGER NOT NULL DEFAULT 0,
    settled_ms INTEGER,
    receipt TEXT, error TEXT,
    PRIMARY KEY (message, destination, recipient)
  ) STRICT, WITHOUT ROWID;

  CREATE TABLE lease (
    account TEXT PRIMARY KEY, file TEXT NOT NULL, taken_ms INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;
`

// `account.listings` counts whole listings; `message.gone_listing` is the number of the first that lacked the message, null for
// one that is not gone or never to be forgotten. So no listing has to write to all that is gone. `next_poll_ms`: for schedulers.
const SECOND = `
  ALTER TABLE account ADD COLUMN listings INTEGER NOT NULL DEFAULT 0;
  ALTER TABLE account ADD COLUMN mark_digest BLOB;
  ALTER TABLE account ADD COLUMN mark_due_ms INTEGER;
  ALTER TABLE account ADD COLUMN next_poll_ms INTEGER;
  ALTER TABLE message ADD COLUMN gone_listing INTEGER;
  UPDATE message SET gone_listing = 0 WHERE gone_since_ms IS NOT NULL AND deletions > 0;

  CREATE INDEX account_next_poll ON account (next_poll_ms) WHERE next_poll_ms IS NOT NULL;
  CREATE INDEX message_removed ON message (account) WHERE deletions > 0 AND gone_since_ms IS NULL;
  CREATE INDEX message_forgettable ON message (account, gone_since_ms) WHERE gone_listing IS NOT NULL AND state IN (1, 2);
`

// What destinations answered, what was handed over to them, what people recognise a message by, deletions that did not happen.
// `destination.record` and `account.taking_over`, `message.harm` are JSON: read as a whole, by few.
const THIRD = `
  ALTER TABLE message ADD COLUMN sender TEXT;
  ALTER TABLE message ADD COLUMN subject TEXT;
  ALTER TABLE message ADD COLUMN date_ms INTEGER;
  ALTER TABLE message ADD COLUMN deletion_wanted_ms INTEGER;
  ALTER TABLE message ADD COLUMN deletion_tried INTEGER;
  ALTER TABLE message ADD COLUMN deletion_reason TEXT;
  ALTER TABLE message ADD COLUMN harm TEXT;
  CREATE INDEX message_undeleted ON message (account) WHERE deletion_wanted_ms IS NOT NULL;

  ALTER TABLE delivery ADD COLUMN refusals INTEGER NOT NULL DEFAULT 0;
  ALTER TABLE delivery ADD COLUMN deferrals INTEGER NOT NULL DEFAULT 0;
  ALTER TABLE delivery ADD COLUMN handed_over INTEGER NOT NULL DEFAULT 0;
  ALTER TABLE delivery ADD COLUMN conclusion TEXT;
  UPDATE delivery SET refusals = attempts WHERE state = 3;

  ALTER TABLE account ADD COLUMN taking_over TEXT;

  CREATE TABLE destination (
    key TEXT NOT NULL, recipient TEXT NOT NULL, record TEXT NOT NULL,
    PRIMARY KEY (key, recipient)
  ) STRICT, WITHOUT ROWID;
`

// For people: what each day brought. And what is remembered of no account: what was told, that a daemon is wanted.
const FOURTH = `
  CREATE TABLE day (
    account INTEGER NOT NULL, day INTEGER NOT NULL,
    delivered INTEGER NOT NULL, bytes INTEGER NOT NULL, failures INTEGER NOT NULL, longest_wait_ms INTEGER NOT NULL,
    PRIMARY KEY (account, day)
  ) STRICT, WITHOUT ROWID;

  CREATE TABLE memo (name TEXT PRIMARY KEY, text TEXT NOT NULL) STRICT, WITHOUT ROWID;
`

// What a person wants left alone (pause.ts).
const FIFTH = `
  CREATE TABLE pause (
    kind TEXT NOT NULL, name TEXT NOT NULL, by_whom TEXT NOT NULL, since_ms INTEGER NOT NULL, until_ms INTEGER,
    PRIMARY KEY (kind, name)
  ) STRICT, WITHOUT ROWID;
`

// Where an attempt was made, in a ledger that several machines shared before it was copied into this file.
const SIXTH = 'ALTER TABLE delivery ADD COLUMN machine TEXT;'

export interface Step {
  readonly sql: string
  /** The oldest version that can go on working on a file after this step. It can if the step only adds (tables, indexes,
   *  columns that may be left out), and nothing is misread because that version left them out. A step's own number where it
   *  cannot; else the number before it, mostly. */
  readonly oldest: number
}

export const MIGRATIONS: readonly Step[] = [
  { sql: FIRST, oldest: 1 },
  // Before it, files did not say who can work on them: those versions refuse anything newer.
  { sql: SECOND, oldest: 2 },
  // The version before sends without the mark that it handed over: what it may have sent would count as not sent (S042).
  { sql: THIRD, oldest: 3 },
  // The version before counts no days and tells as it did: nothing is misread.
  { sql: FOURTH, oldest: 3 },
  // The version before polls what is paused: nothing is lost, and nothing is misread.
  { sql: FIFTH, oldest: 3 },
  // The version before leaves the name beside an attempt of its own: that waits until a person says otherwise, and nothing is lost.
  { sql: SIXTH, oldest: 3 },
]

/** What takes away what no version needs that can still work on the file. */
export interface Removal {
  readonly sql: string
  /** The oldest version that does without. It stands in the file afterwards, so a file that names it, or a later one, is through. */
  readonly oldest: number
}

/** In the order of `oldest`. None so far. */
export const REMOVALS: readonly Removal[] = []

/** Brings an open ledger to the last of `steps`, or leaves it as it is when a newer popfetch wrote it and these can work on it;
 *  rejects when they cannot. A ledger with history is first copied to `<path>.v<version>`. Two processes may do this at once:
 *  each step is looked at again under the write lock. */
export async function migrate(
  database: DatabaseSync,
  path: string,
  steps: readonly Step[] = MIGRATIONS,
): Promise<void> {
  const found = readVersion(database)
  refuseNewer(path, found, steps.length)
  if (found.steps >= steps.length) return
  if (found.steps > 0) await keepCopy(database, path, `${path}.v${found.steps}`)
  for (const [index, { sql }] of steps.entries()) {
    if (index < found.steps) continue
    const oldest = Math.max(...steps.slice(0, index + 1).map((step) => step.oldest))
    await whenFree(path, () => take(database, path, sql, { steps: index + 1, oldest }))
  }
}

/** The name of the copy that is kept of a file of this version. */
export function copyBefore(path: string, { steps }: Version): string {
  return `${path}.v${steps}`
}

/** Under `name`, as the only one of its kind: what an earlier version kept is no way back any more. Two processes may do this at
 *  once: each writes a draft of its own. */
export async function keepCopy(database: DatabaseSync, path: string, name: string): Promise<void> {
  const draft = `${name}.new-${randomBytes(8).toString('hex')}`
  const copy = await open(draft, 'wx', 0o600)
  try {
    await whenFree(path, () => database.prepare('VACUUM INTO ?').run(draft))
    await copy.sync()
    await rename(draft, name)
  } finally {
    await copy.close()
    await rm(draft, { force: true })
  }
  const isEarlier = (file: string): boolean =>
    file !== basename(name) && file.startsWith(`${basename(path)}.v`) && /\.v\d+$/.test(file)
  for (const file of (await readdir(dirname(path))).filter(isEarlier)) await rm(join(dirname(path), file))
}

function take(database: DatabaseSync, path: string, sql: string, after: Version): void {
  database.exec('BEGIN IMMEDIATE')
  try {
    if (readVersion(database).steps === after.steps - 1)
      database.exec(`${sql}; PRAGMA user_version = ${userVersionOf(after)}`)
    database.exec('COMMIT')
  } catch (thrown) {
    if (database.isTransaction) database.exec('ROLLBACK')
    throw damaged(path, thrown)
  }
}
