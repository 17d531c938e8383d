// The words of `popfetch --help` that no option and no command carries. Only text.

export const PROLOGUE = 'Fetches mail from POP3 mailboxes and delivers each message exactly once.\n\n$0 [account...]'

export const EXAMPLES: readonly (readonly [string, string])[] = [
  ['$0', 'Poll all accounts once; silent when all is well'],
  ['$0 work --verbose', 'Poll the account "work" and say what is being done'],
  ['$0 --dry-run', 'Print what would be fetched and deleted'],
  ['$0 check', 'Sign in everywhere, say what is waiting'],
  ['$0 status', 'How the last polls went, what is refused or kept back'],
  ['$0 --daemon', 'Keep polling in the background'],
  ['$0 init', 'Set up the first account by question and answer'],
  ['$0 config check', 'Find mistakes in the configuration'],
]

export const EPILOGUE = `Configuration: --config FILE, else $POPFETCH_CONFIG, else the first of
  $XDG_CONFIG_HOME/popfetch/config.{yaml,yml,json}  (normally in ~/.config)
  /etc/popfetch/config.{yaml,yml,json}

Exit codes:
   0  all polled, mail or not          74  the ledger cannot be used
  64  wrong usage                      75  temporary: try again later
  69  no background process to         76  TLS refused or protocol broken
      speak to                         77  sign-in refused
  70  a bug                            78  configuration wrong, or a guard
  73  a destination cannot take mail       stopped a surprising change`

export const STATE = `  list ACCOUNT            the messages that are known, or those of one kind
  explain ACCOUNT UIDL    the story of one message, and what happens next
  forget ACCOUNT UIDL...  take messages for new again: the next poll fetches
                          them; also releases messages that are kept back
  rename OLD NEW          an account was given another name: keep what is known
  export [ACCOUNT]        all that is known, as JSON lines
  backup FILE             a copy of the ledger, also while a poll runs

A UIDL is written as it was printed, or as it is; -- before one that begins with
a hyphen. With --json, list prints one object a line.`
