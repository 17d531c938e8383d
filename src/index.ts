// popfetch: fetches mail from POP3 mailboxes and delivers each message exactly once. The door for programs that embed it,
// and the map of the house. Re-exports only.
//
// Rooms, and which way imports run (down only; rooms in one row do not see each other; test/architecture.test.ts checks it):
//
//   cli/       argv, exit codes, signals, standard streams              popfetch [account...] → cli/poll.ts
//   daemon/    when which account is polled; one process for months      its parts and its end → daemon/daemon.ts
//   migrate/   a whole mailbox once: many polls, then proof              the story → migrate/migrate.ts
//              what older programs left, and finding a server        their words → migrate/import-*.ts, discover.ts
//   poll/      policy: what to fetch, in which order, when to delete     the story on one page → poll/poll.ts
//   config/    a file → Configuration; secrets, just before sign-in      one schema → config/schema.ts
//   pop3/      the protocol: bytes ↔ commands and replies, no policy     the machine → pop3/session.ts, wire/decoder.ts
//   deliver/   one file per kind of destination, one contract            the contract → deliver/destination.ts
//   ledger/    what was delivered, durably; the only room with SQL       the contract → ledger/ledger.ts
//   errors.ts message.ts header.ts display.ts redact.ts log.ts           what all rooms speak of
//
// One rule holds the house together: a message is deleted from a server only after every destination has it durably and
// the ledger has recorded that durably. In doubt the mail stays.
//
// Glossary. account: a mailbox on a server, and what is to become of its mail. session: one POP3 conversation, from greeting
// to QUIT. listing: what UIDL and LIST told; entry: one line of it. UIDL: the server's lasting name of a message. message: one
// that was received completely. destination: a Maildir or an SMTP server; delivery: one message to one destination for one
// recipient; attempt: one try of it, with an intent, the number by which a crash's leavings are recognised; receipt: what a
// destination said when it took it. ledger: the record of all this. lease: the right to poll an account. poll: one account,
// once; plan: what a poll decides to fetch, keep and delete; report: what became of it.

export { DeliveryError, PopfetchError } from './errors.ts'
export type { ErrorCode, Retry, Scope, Verdict } from './errors.ts'
export { loadConfiguration } from './config/load.ts'
export type { Account, Configuration, DestinationConfig } from './config/schema.ts'
export type { Attempt, Destination, Receipt } from './deliver/destination.ts'
export { openLedger } from './ledger/sqlite/open.ts'
export type { Ledger } from './ledger/ledger.ts'
export { openLog, silentLog } from './log.ts'
export type { Log } from './log.ts'
export type { Body, Message, Origin } from './message.ts'
export { checkAll, pollAll } from './poll/poller.ts'
export type { AccountReport, CheckReport, Observer, PollOptions, Progress } from './poll/report.ts'
