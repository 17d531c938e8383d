// The fake server in the manner of others (HAZARDS A10). What they say they can do, how they number and count, what becomes
// of a message that was fetched or deleted. What a real one of them does is tested where it can be had (test/servers).
import { createHash } from 'node:crypto'
import type { StoredMessage } from './mailbox.ts'
import type { Pop3Server } from './pop3-server.ts'

export interface Profile {
  readonly name: string
  /** The listing shows only this many messages; null: all. */
  readonly window: number | null
  /** The UIDL of message `at`, whose bytes are these. */
  uidl(at: number, message: string): string
  apply(server: Pop3Server): void
}

/** Small, so that a test with some dozen messages meets it; it is 250 with Gmail and WildDuck. */
const WINDOW = 20

const plain = (at: number): string => `00000${at.toString(16).padStart(3, '0')}5f3c2b1a`
const count = (bytes: Buffer, byte: number): number => bytes.reduce((sum, each) => sum + (each === byte ? 1 : 0), 0)

function offer(server: Pop3Server, before: readonly string[], afterLogin: readonly string[] = before): void {
  server.capabilities = { before: [...before], afterTls: [...before], afterLogin: [...afterLogin] }
}

export const profiles: readonly Profile[] = [
  {
    // Fetched and QUIT is "popped": not listed again. DELE changes nothing that POP3 shows.
    name: 'Gmail',
    window: WINDOW,
    uidl: (at) => `GmailId${(0x18c0f00000000000n + BigInt(at)).toString(16)}`,
    apply(server) {
      const common = ['USER', 'RESP-CODES', 'EXPIRE 0', 'LOGIN-DELAY 300', 'TOP', 'UIDL', 'X-GOOGLE-RICO']
      offer(server, [...common, 'SASL PLAIN XOAUTH2 OAUTHBEARER'], [...common, 'PIPELINING'])
      Object.assign(server.faults, { popped: true, ignoreDeletes: true, window: WINDOW, windowEnd: 'oldest' })
    },
  },
  {
    // Sizes are of the store's own form; SASL wants its response on a line of its own.
    name: 'Exchange',
    window: null,
    uidl: (at) => `AAMkAGI2Tg${at}Q=`,
    apply(server) {
      offer(server, ['TOP', 'UIDL', 'USER', 'SASL XOAUTH2'])
      server.faults.refuseInitialResponse = true
      server.faults.continuation = '+'
      server.faults.listSize = ({ sizeBytes }) => Math.round(sizeBytes * 1.07) + 13
    },
  },
  {
    // %08Xu%08Xv: UID and UIDVALIDITY. A message that cannot be opened is "expunged".
    name: 'Dovecot',
    window: null,
    uidl: plain,
    apply(server) {
      offer(server, ['CAPA', 'TOP', 'UIDL', 'RESP-CODES', 'PIPELINING', 'AUTH-RESP-CODE', 'USER', 'SASL PLAIN LOGIN'])
    },
  },
  {
    // QUIT is answered +OK whatever became of it.
    name: 'Cyrus',
    window: null,
    uidl: (at) => `1719${at}.${at + 1}`,
    apply(server) {
      const common = ['SASL PLAIN LOGIN', 'EXPIRE NEVER', 'LOGIN-DELAY 0', 'TOP', 'UIDL', 'PIPELINING', 'RESP-CODES']
      offer(server, [...common, 'AUTH-RESP-CODE', 'USER', 'IMPLEMENTATION Cyrus POP3 3.6.1'])
    },
  },
  {
    // The answer to QUIT comes before the files go, and one of them does not at first.
    name: 'Courier',
    window: null,
    uidl: (at) => `UID${at + 1}-1795531821`,
    apply(server) {
      offer(server, ['TOP', 'USER', 'LOGIN-DELAY 10', 'PIPELINING', 'UIDL', 'UTF8 USER'])
      server.faults.undeletable.add('UID1-1795531821')
      const served = server.faults.onCommand
      let quits = 0
      server.faults.onCommand = (verb, args, session) => {
        if (verb === 'QUIT' && ++quits > 4) server.faults.undeletable.clear()
        return served?.(verb, args, session) ?? 'serve'
      }
    },
  },
  {
    // A UIDL is a hash of a few fields, here of none that differ in two messages of three; long arguments are refused.
    name: 'popa3d',
    window: null,
    uidl: (at) => hash(String(Math.floor(at / 3))).slice(0, 16),
    apply(server) {
      server.capabilities = null
      server.faults.onCommand = (_, args) => (args.length > 40 ? '-ERR' : 'serve')
    },
  },
  {
    // Line ends count as one byte; the UIDL is a file's name.
    name: 'qmail-pop3d',
    window: null,
    uidl: (at) => `17955318${21 + at}.2047.mail.example.net`,
    apply(server) {
      server.capabilities = null
      server.faults.listSize = ({ bytes }: StoredMessage) => bytes.length - count(bytes, 13)
    },
  },
  {
    name: 'WildDuck',
    window: WINDOW,
    uidl: (at) => `${hash(`wild ${at}`).slice(0, 24)}.${at}`,
    apply(server) {
      offer(server, ['UIDL', 'USER', 'RESP-CODES', 'PIPELINING', 'SASL PLAIN', 'TOP'])
      Object.assign(server.faults, { window: WINDOW, windowEnd: 'newest' })
    },
  },
  {
    // Its CAPA has a word that lacks its blank; the lowest free number makes a UIDL that was used before (P098).
    name: 'GNU mailutils',
    window: null,
    uidl: (at) => `${at + 1}`,
    apply(server) {
      offer(server, ['TOP', 'UIDL', 'RESP-CODES', 'PIPELINING', 'AUTH-RESP-CODE', 'EXPIRENEVER', 'USER'])
    },
  },
]

function hash(text: string): string {
  return createHash('md5').update(text).digest('hex')
}
