// Every place where foreign text is parsed: whose it is, how much of it there may be, how deep it may be nested. And what shows
// that the time grows with it and no faster. A file that takes text apart and is not here fails the test.
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { parsers } from './texts.ts'

const ROOT = join(import.meta.dirname, '../..')

interface Place {
  /** Who wrote the text. */
  readonly whose: string
  /** How much of it is taken, and by whom that is seen to. */
  readonly most: string
  /** How deep it may be. */
  readonly deep: string
  /** A parser of texts.ts; `expressions`: only regular expressions and the built-in split, see expressions.test.ts; `bounded`: too
   *  short to matter; else the test that shows it. */
  readonly growth: string
}

const FLAT = 'flat'
/** Texts of popfetch itself, of Node, or of the person at the keyboard. */
const own = (whose: string): Place => ({ whose, most: 'short', deep: FLAT, growth: 'bounded' })
const config = (most: string): Place => ({ whose: 'configuration', most, deep: '100 levels', growth: 'configuration' })
const old = (growth: string): Place => ({ whose: 'old files', most: '1 MiB, records 256 MiB', deep: FLAT, growth })
const server = (most: string, growth = 'replies of servers'): Place => ({ whose: 'servers', most, deep: FLAT, growth })

const PLACES: Readonly<Record<string, Place>> = {
  'bin/popfetch.ts': own("Node's version"),
  'src/config/kept/kept.ts': own('a file of our own, which nobody else can have sealed'),
  'src/config/kept/without-secrets.ts': own('who is told, as our own configuration has it'),
  'src/cli/script-form.ts': own('the text of the program itself'),
  'src/cli/kept-code.ts': own('places of the program itself'),
  'src/cli/terminal/wrapped.ts': own('our own descriptions of commands, options and keys'),
  'src/ledger/sqlite/mend/check.ts': own('what SQLite says of our file'),
  'src/ledger/sqlite/copies.ts': own('names of our own files'),
  'src/ledger/sqlite/mend/upgrade.ts': own('runs our own SQL'),
  'src/ledger/sqlite/schema/older.ts': own('our own SQL'),
  'src/poll/account/unbegun.ts': own('the ledger, which is ours'),
  'src/poll/account/polls.ts': own('a fact of our own ledger'),
  'src/config/reference/keys.ts': own('paths of keys, and a word of a command line'),
  'src/cli/arguments/help.ts': own('our own descriptions of commands and options'),
  'src/cli/arguments/with-yargs.ts': own('the command line, and what yargs says of it'),
  'src/cli/command-errors.ts': own('our own messages'),
  'src/cli/commands/completion/action.ts': own('the name of a shell'),
  'src/cli/commands/config/action.ts': own('our own report of a configuration'),
  'src/cli/commands/migrate/memo.ts': own('the ledger, which is ours'),
  'src/cli/commands/log/entry.ts': {
    whose: 'popfetch itself, or whoever else writes to the log',
    most: '64 KiB a line, read-log.ts',
    deep: 'as JSON.parse, which keeps no stack; only plain values are looked at',
    growth: 'lines of a log',
  },
  'src/cli/commands/migrate/options.ts': own('the command line'),
  'src/cli/commands/migrate/text.ts': own('descriptions of destinations'),
  'src/cli/commands/poll/quiet.ts': own('the ledger, which is ours'),
  'src/cli/commands/shell/conversation.ts': own('what the person at the keyboard types'),
  'src/cli/open/mounts.ts': own('what the kernel says of mounts'),
  'src/deliver/disk/open-files.ts': own('what the kernel says of limits'),
  'src/cli/open/read-ledger.ts': own('our own messages'),
  'src/status/next.ts': own('texts of our own'),
  'src/status/account.ts': own('names of our configuration'),
  'src/status/tolerance.ts': own('the command line'),
  'src/cli/output.ts': { ...own('our own answers'), growth: 'expressions' },
  'src/config/accounts/account-name.ts': own('a list of ours'),
  'src/config/accounts/warnings.ts': config('8 KiB, values.ts'),
  'src/config/sources/kept.ts': config('64 MiB of ours'),
  'src/config/sources/include.ts': config('8 KiB, and names of files'),
  'src/config/values/pattern.ts': config('8 KiB, values.ts'),
  'src/config/daemon/daemon.ts': config('8 KiB, values.ts'),
  'src/config/destinations/imap.ts': { ...config('8 KiB'), growth: 'URLs of the command line' },
  'src/config/destinations/mail-server.ts': config('8 KiB, url.ts'),
  'src/config/destinations/url.ts': { ...config('8 KiB'), growth: 'URLs of the command line' },
  'src/config/daemon/telling.ts': config('as the file'),
  'src/config/daemon/told.ts': config('16 MiB, load.ts; of a broken file 21 lines; what is kept of it, 1 MiB'),
  'src/config/document.ts': config('16 MiB, load.ts; a million values'),
  'src/config/plain-yaml.ts': { ...config('16 MiB, load.ts; half a million lines'), deep: 'twenty levels' },
  'src/config/paths.ts': own('a variable of systemd'),
  'src/config/problem.ts': config('as the file'),
  'src/config/state/password.ts': config('1 MiB'),
  'src/config/state/postgres.ts': config('8 KiB, values.ts'),
  'src/config/values/host.ts': config('8 KiB, values.ts'),
  'src/config/values/proxy.ts': config('8 KiB, values.ts'),
  'src/config/values/quantity.ts': config('8 KiB, values.ts'),
  'src/config/values/secret.ts': config('as the file'),
  'src/cli/commands/uninstall/action.ts': config('as the file'),
  'src/cli/commands/uninstall/program.ts': own('the path that it runs from'),
  'src/cli/commands/uninstall/state.ts': own('names of files beside the ledger'),
  'src/cli/commands/uninstall/schedule.ts': own('tables of cron and units of this machine'),
  'src/config/edit/additions.ts': config('as the file'),
  'src/cli/commands/init/options.ts': own('the command line'),
  'src/cli/commands/init/place.ts': own('a line that a person typed'),
  'src/cli/commands/init/questions.ts': own('a line that a person typed'),
  'src/daemon/control/protocol.ts': {
    whose: 'programs of the same user',
    most: '2 MiB for a request, 10,000 names',
    deep: 'as JSON.parse, which keeps no stack; only known keys are looked at',
    growth: 'control protocol',
  },
  'src/daemon/http/host.ts': { whose: 'HTTP clients', most: '8 KiB', deep: FLAT, growth: 'expressions' },
  'src/daemon/http/page/page.ts': own('our own commands'),
  'src/daemon/http/routes.ts': {
    whose: 'HTTP clients',
    most: '8 KiB; a form of 4 KiB',
    deep: FLAT,
    growth: 'expressions',
  },
  'src/daemon/notify/process.ts': own('our own messages'),
  'src/daemon/notify/outbox.ts': own('our own memo in the ledger'),
  'src/daemon/http/token.ts': { whose: 'HTTP clients', most: '8 KiB', deep: FLAT, growth: 'expressions' },
  'src/deliver/address.ts': {
    whose: 'configuration and senders',
    most: '254 characters',
    deep: FLAT,
    growth: 'headers',
  },
  'src/deliver/answers/reply.ts': server('2,000 characters'),
  'src/deliver/command/command.ts': own('PATH'),
  'src/deliver/imap/append.ts': { whose: 'servers', most: '16 MiB, wire.ts', deep: FLAT, growth: 'expressions' },
  'src/deliver/imap/content.ts': { whose: 'servers', most: '64 KiB of header', deep: FLAT, growth: 'headers' },
  'src/deliver/imap/folder.ts': own('the name of a folder, as the configuration has it'),
  'src/deliver/imap/reread.ts': { whose: 'servers', most: '64 KiB of header', deep: FLAT, growth: 'expressions' },
  'src/deliver/imap/wire.ts': server('200 characters', 'bounded'),
  'src/deliver/disk/own-files.ts': { whose: 'other users', most: '255 bytes: a name', deep: FLAT, growth: 'bounded' },
  'src/deliver/maildir/name.ts': { whose: 'other users', most: '255 bytes: a name', deep: FLAT, growth: 'bounded' },
  'src/deliver/mbox/find.ts': { whose: 'senders', most: 'a piece of a file', deep: FLAT, growth: 'expressions' },
  'src/deliver/mbox/lock.ts': { whose: 'other users', most: '128 KiB', deep: 'known keys only', growth: 'expressions' },
  'src/deliver/mbox/mboxrd.ts': {
    whose: 'senders',
    most: 'a piece of a message',
    deep: FLAT,
    growth: 'test/deliver/mbox/mboxrd.test.ts',
  },
  'src/deliver/envelope.ts': {
    whose: 'senders',
    most: 'a piece of a file, or 64 KiB of header',
    deep: FLAT,
    growth: 'expressions',
  },
  'src/deliver/gmail/client.ts': server('16 KiB of header fields, Node'),
  'src/deliver/gmail/exchange.ts': server('4 MB an answer', 'test/deliver/gmail/gmail.test.ts'),
  'src/deliver/gmail/labels.ts': own('a list of ours'),
  'src/deliver/gmail/reply.ts': server('4 MB an answer, of which 1,000 characters', 'expressions'),
  'src/deliver/placeholders.ts': own('names and addresses, as the configuration has them'),
  'src/deliver/smtp/capabilities.ts': server('64 KiB an answer, session.ts'),
  'src/deliver/smtp/content.ts': { whose: 'senders', most: 'a piece of a message', deep: FLAT, growth: 'expressions' },
  'src/deliver/smtp/conversation.ts': server('64 KiB an answer, session.ts', 'test/deliver/smtp/conversation.test.ts'),
  'src/deliver/smtp/line/line.ts': server('64 KiB an answer, session.ts', 'test/deliver/smtp/line.test.ts'),
  'src/deliver/smtp/text.ts': server('64 KiB an answer, session.ts'),
  'src/deliver/smtp/wire-header.ts': {
    whose: 'senders',
    most: '64 KiB of header',
    deep: FLAT,
    growth: 'test/deliver/smtp/wire-header.test.ts',
  },
  'src/deliver/smtp/wrap.ts': { whose: 'senders', most: '64 KiB of header', deep: FLAT, growth: 'expressions' },
  'src/deliver/disk/spool-files.ts': { whose: 'other users', most: '255 bytes: a name', deep: FLAT, growth: 'bounded' },
  'src/environment.ts': own('the environment'),
  'src/errors.ts': own('codes of Node'),
  'src/header.ts': { whose: 'senders', most: '64 KiB', deep: FLAT, growth: 'headers' },
  'src/header/date.ts': { whose: 'senders', most: '100 characters', deep: FLAT, growth: 'headers' },
  'src/ledger/copy/copied.ts': own('names of columns of ours'),
  'src/ledger/postgres/copy/rows.ts': own('the ledger, which is ours'),
  'src/ledger/postgres/comparison.ts': own('the ledger, which is ours'),
  'src/ledger/postgres/postgres-shared.ts': own('the ledger, which is ours'),
  'src/ledger/postgres/rows/account.ts': own('the ledger, which is ours'),
  'src/ledger/postgres/rows/changes.ts': own('a name that we made'),
  'src/ledger/postgres/rows/pauses.ts': own('the ledger, which is ours'),
  'src/ledger/postgres/writer.ts': own('numbers that our own function gives'),
  'src/ledger/sqlite/open.ts': own('what SQLite says of a file'),
  'src/ledger/sqlite/rows/destinations.ts': own('the ledger, which is ours'),
  'src/ledger/sqlite/rows/row.ts': own('the ledger, which is ours'),
  'src/ledger/sqlite/rows/settled.ts': own('a query of ours'),
  'src/migrate/resumption.ts': own('the ledger, which is ours'),
  'src/oauth/aadsts.ts': { whose: 'providers', most: '1 MB, http.ts', deep: FLAT, growth: 'expressions' },
  'src/oauth/answers.ts': { whose: 'providers', most: '1 MB, http.ts', deep: FLAT, growth: 'expressions' },
  'src/oauth/granted.ts': {
    whose: 'providers',
    most: '1 MB, http.ts',
    deep: 'as JSON.parse, which keeps no stack; only known keys are looked at',
    growth: 'expressions',
  },
  'src/oauth/http.ts': { whose: 'providers', most: '1 MB', deep: FLAT, growth: 'expressions' },
  'src/oauth/record.ts': own('sign-ins that we keep, 256 KiB'),
  'src/own-file.ts': own('a path'),
  'src/owners.ts': own('/proc and /etc'),
  'src/poll/rests/secret-mark.ts': own('a fact of our own ledger'),
  'src/pop3/listing/ask.ts': server('a line', 'expressions'),
  'src/pop3/listing/uidl-table.ts': server('250 lines of a listing', 'expressions'),
  'src/status/asked-trouble.ts': own('what the ledger remembers'),
  'src/status/remembered/missed.ts': own('what the ledger remembers'),
  'src/poll/compare/take-over-migration.ts': own('the ledger, which is ours'),
  'src/poll/compare/remembered-copies.ts': own('a fact of our own ledger'),
  'src/poll/check/server.ts': own('a word of the command line'),
  'src/poll/check/diagnosis.ts': config('320 characters'),
  'src/poll/check/mail-server.ts': server('16 KiB an answer, meeting.ts', 'expressions'),
  'src/poll/transfer/ended-looks.ts': own('the ledger, which is ours'),
  'src/poll/route/known-mailboxes.ts': own('the ledger, which is ours'),
  'src/poll/route/mailbox.ts': {
    whose: 'senders and providers',
    most: '1,000 characters of one field',
    deep: FLAT,
    growth: 'expressions',
  },
  'src/poll/route/conditions.ts': {
    whose: 'senders',
    most: '16 KiB a field, 64 KiB together',
    deep: FLAT,
    growth: 'headers',
  },
  'src/poll/account/tidy-due.ts': own('a memo in our ledger'),
  'src/poll/plan/age-clock.ts': own('the ledger, which is ours'),
  'src/poll/plan/held-for-size.ts': own('the ledger, which is ours'),
  'src/poll/sign-in/remembered-capabilities.ts': own('the ledger, which is ours'),
  'src/pop3/sign-in/oauth.ts': { ...server('8 KiB, a line'), deep: 'known keys only', growth: 'bounded' },
  'src/pop3/sign-in/scram.ts': server('8 KiB, a line', 'expressions'),
  'src/pop3/wire/capabilities.ts': server('16 KiB, 100 lines'),
  'src/providers.ts': own('a list of ours'),
  'src/redact/common-words.ts': own('a list of ours'),
  'src/redact/readings.ts': { whose: 'anybody', most: 'a message', deep: 'few', growth: 'test/redact.test.ts' },
  'src/setup/delivery-command.ts': old('fetchmailrc and .fetchids'),
  'src/setup/draft.ts': old('fetchmailrc and .fetchids'),
  'src/setup/fetchmail/delivery.ts': old('fetchmailrc and .fetchids'),
  'src/setup/fetchmail/fetchmail.ts': old('fetchmailrc and .fetchids'),
  'src/setup/fetchmail/grammar.ts': old('fetchmailrc and .fetchids'),
  'src/setup/getmail/delivery.ts': { ...old('getmailrc and oldmail'), deep: '5 levels, 100 sections' },
  'src/setup/getmail/getmail.ts': old('getmailrc and oldmail'),
  'src/setup/ini.ts': old('getmailrc and oldmail'),
  'src/setup/mpop/grammar.ts': old('mpoprc and its records'),
  'src/setup/mpop/mpop.ts': old('mpoprc and its records'),
  'src/setup/netrc.ts': old('.netrc'),
  'src/setup/thunderbird/thunderbird.ts': old('prefs.js and popstate.dat'),
  'src/setup/trial.ts': own('the lines of a configuration'),
  'src/sign-in-providers.ts': own('lists of ours'),
  'src/setup/words.ts': own('a list of ours'),
}

/** What takes text apart. `exec` of a database takes none. */
const TAKES_APART =
  /JSON\.parse\(|\.split\(|new RegExp\(|\.matchAll\(|\.match\(|(?<!\b(?:database|lock|opened)|#database)\.exec\(|addressParser\(|fieldEnd\(|decodeWords\(|yaml\.Lexer/

const sources = ['bin', 'src'].flatMap((folder) =>
  readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts'))
    .map((name) => join(folder, name)),
)

test('every file that takes text apart is in the table, and no other', () => {
  const found = sources.filter((file) => TAKES_APART.test(readFileSync(join(ROOT, file), 'utf8')))
  expect(Object.keys(PLACES).toSorted()).toEqual(found.toSorted())
})

test('every growth that the table names is shown by a test', () => {
  const known = new Set(['expressions', 'bounded', ...parsers.map(({ name }) => name)])
  const unknown = Object.entries(PLACES).filter(
    ([, { growth }]) => !known.has(growth) && !readFileSync(join(ROOT, growth), 'utf8').includes('test('),
  )
  expect(unknown).toEqual([])
})
