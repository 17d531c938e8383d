// popfetch fetches mail from POP3 mailboxes and delivers each message exactly once. This file is the entry for programs that
// embed it, and the map of the code. It only re-exports.
//
// The rooms, from the top floor down. Imports run down only, and rooms of one floor do not see each other; a test checks it
// (test/architecture.test.ts). Behind the arrow: the file to read first.
//
//   cli/       the command line: arguments/, a folder for each command in commands/, open/, terminal/   → cli/main.ts
//   embed/     popfetch inside another program                                                          → embed/embed.ts
//   daemon/    one process for months: schedule/ (which account when), control/ (its socket), http/,    → daemon/daemon.ts
//              notify/ (notices to people)
//   migrate/   a whole mailbox once: many polls, then proof                                             → migrate/migrate.ts
//   verify/    server, ledger and destinations compared, message by message                             → verify/verify.ts
//   status/    the state of everything, in one model for people and programs; what needs attention      → status/status.ts
//   poll/      policy, in the order of a poll: sign-in/ compare/ plan/ route/ transfer/; beside them    → poll/poll.ts
//              full/ (all that follows where a listing is not known), lane/ (transfer for many small messages at
//              once), idle/ (a poll with nothing to do), account/ (what one poll leaves for the next), run/ (what
//              accounts share), rests/ (which destinations are left alone, and until when), check/
//   setup/     how a configuration is made: finding a server, importing an older program's files        → setup/draft.ts
//   config/    a file → Configuration: destinations/ (a file for each kind), values/ (secrets, …)       → config/load.ts
//   deliver/   a folder for each kind of destination, one contract; disk/ has every call to the disk,   → deliver/destination.ts
//              network/ every connection of smtp/ and imap/
//   oauth/     signing in at a provider, and access tokens for mail servers                             → oauth/oauth.ts
//   pop3/      the protocol, without policy: network/ wire/ sign-in/ listing/ and a session on top      → pop3/session.ts
//   ledger/    what was delivered, durably: the contract, and sqlite/, which implements it              → ledger/ledger.ts
//   ground     what all rooms use: errors.ts message.ts header.ts redact.ts (each with a folder) display.ts log.ts;
//              program.ts runs other programs; providers.ts knows mail providers
//
// Five files explain the rest. This one. poll/poll.ts is the story of the program in ten lines. pop3/wire/decoder.ts turns bytes
// into replies. deliver/destination.ts says what every destination promises, ledger/ledger.ts what popfetch remembers.
//
// One rule governs everything: a message is deleted from a server only after every destination has it durably and the ledger
// has recorded that durably. If in doubt, the mail stays.
//
// Glossary
//   account       a mailbox on a server, and where its mail goes
//   run           what the polls of one command, or of one daemon, share
//   poll          one account, once: from its lease to its report, in one session or several
//   session       one POP3 conversation, from greeting to QUIT
//   visit         one session of a poll, with everything that a stage of the poll needs
//   lease         the right to poll an account and to change what is recorded of it
//   history       what earlier polls left for this one, and what this one leaves for the next
//   listing       the answers to UIDL and LIST; entry: one line of it; UIDL: the server's lasting name of a message
//   comparison    a listing beside the ledger; plan: what follows from it: fetch, hold, delete
//   look          a header or a whole message that is read only to decide something, not to be delivered
//   stand-in      the digest under which the ledger keeps a message whose UIDL contains a secret
//   message       one that was received completely; spool: where it is kept until it is delivered
//   destination   a Maildir, an mbox, an SMTP or LMTP server, an IMAP folder, a Gmail mailbox, a program
//   target        a destination as one account uses it
//   job           a message to be fetched, with the deliveries that are due
//   delivery      one message to one destination for one recipient; attempt: one try of it
//   intent        the random number of an attempt, by which a later poll finds what a crash left behind
//   lane          the quick road of many new, small messages to one Maildir; the usual road takes all others
//   burst         their RETRs, and their answers cut whole; volley: their files, delivered together
//   hands         another thread, which writes and links the files of volleys while the event loop goes on
//   receipt       what a destination said when it accepted a message
//   conclusion    what the answer of a destination means for the mail (deliver/answers/)
//   rest          the time for which a destination is left alone: nothing is offered to it (poll/rests/)
//   opener        a message whose answer began a rest, or prolonged it
//   ledger        the record of all this
//   report        the result of a poll
//   door          the only file that imports a third-party package

export { createPoller, loadConfiguration, openLedger, poll } from './embed/embed.ts'
export type { LoadCall } from './embed/embed.ts'
export type * from './embed/options.ts'
export type * from './embed/accounts.ts'
export type * from './embed/destinations.ts'
export type * from './embed/secrets.ts'
export { defineDestination } from './deliver/own/definition.ts'
export type { DefinedDestination, OwnAttempt, OwnDestination, OwnReceipt } from './deliver/own/definition.ts'
export type { OwnMessage } from './deliver/own/message.ts'
export { undelivered } from './deliver/own/undelivered.ts'
export type { Undelivered } from './deliver/own/undelivered.ts'
export { DeliveryError, PopfetchError } from './errors.ts'
export type { ErrorCode, Retry, Scope, Verdict } from './errors.ts'
export type { Account, Configuration, DestinationConfig } from './config/schema.ts'
export type * from './ledger/ledger.ts'
export type * from './ledger/records.ts'
export type { LogFacts, Logger } from './log.ts'
export type { Origin } from './message.ts'
export type {
  AccountReport,
  CheckReport,
  DestinationTrouble,
  MessageProblem,
  MessageSettled,
  PlannedMessage,
  PollOutcome,
  Progress,
  ReportedError,
} from './poll/report.ts'
