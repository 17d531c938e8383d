// Fifteen .fetchmailrc files. Each keeps its mail in HOME/out, which the command appends to.
import type { Style } from './style.ts'

const mda = `mda "cat >> HOME/out"`
const kept = (title: string, text: string, more: Partial<Style> = {}): Style => ({
  title,
  text,
  deletes: false,
  mail: 'out',
  ...more,
})
const deleted = (title: string, text: string, more: Partial<Style> = {}): Style => ({
  ...kept(title, text, more),
  deletes: true,
})
const ids = (name: string) => ({ record: { file: '.fetchids', text: `alice@${name} u1\nalice@${name} u2\n` } })

export const fetchmailStyles: readonly Style[] = [
  kept('one line', `poll HOST protocol pop3 port PORT username alice password pw keep sslproto '' ${mda}\n`),
  deleted('one line, nothing said of keep', `poll HOST proto pop3 port PORT user alice pass pw sslproto '' ${mda}\n`),
  kept(
    'the manual’s, with words of no meaning, over many lines',
    `# Fetchmail configuration
poll HOST with protocol POP3 and options no dns
    port PORT
    user 'alice' there with password 'pw' is 'me' here
    and wants keep, and options sslproto ''
    ${mda}
`,
  ),
  kept(
    'defaults first',
    `defaults
  protocol pop3
  timeout 60
  user alice there
  password "pw"
  keep
  sslproto ""
  ${mda}

poll HOST
  port PORT
`,
  ),
  deleted(
    'no keep over a default that keeps',
    `defaults proto pop3 keep ${mda}\npoll HOST port PORT user alice pass pw sslproto '' no keep\n`,
  ),
  kept(
    'via, with a name of its own',
    `poll isp via HOST proto pop3 port PORT user alice pass pw keep sslproto '' ${mda}\n`,
    ids('isp'),
  ),
  kept('punctuation as noise', `poll HOST: proto pop3; port PORT;\n user alice, pass pw; keep; sslproto ''; ${mda};\n`),
  kept(
    'settings first, comments everywhere, another account that is skipped',
    `set daemon 300 # five minutes
set postmaster "me"
set no bouncemail
set invisible
# --- the old one
skip other.example proto imap user bob pass x # not any more
# --- mine
poll HOST # the host
  proto pop3 # POP3
  port PORT
  user alice # me
  pass pw # secret
  keep # for now
  sslproto ''
  ${mda} # out
# the end`,
  ),
  kept(
    'CRLF, tabs, a BOM',
    `\uFEFFpoll\tHOST\tproto\tpop3\r\n\tport\tPORT\r\n\tuser\talice\tpass\tpw\r\n\tkeep\tsslproto\t''\r\n\t${mda}\r\n`,
  ),
  deleted(
    'nokeep as one word, quotes around all',
    `poll "HOST" protocol "pop3" port "PORT" user "alice" password "pw" nokeep sslproto "" ${mda}\n`,
  ),
  kept(
    'escapes in a quoted password and command',
    `poll HOST proto pop3 port PORT user "al\\x69ce" pass "\\x70w" keep sslproto '' mda "cat >> \\"HOME/out\\""\n`,
  ),
  kept(
    'an idfile of its own',
    `set idfile "HOME/state/ids"\npoll HOST proto pop3 uidl port PORT user alice pass pw keep sslproto '' ${mda}\n`,
    { record: { file: 'state/ids', text: 'alice@HOST u1\nalice@HOST u2\n' } },
  ),
  kept('the password in ~/.netrc', `poll HOST proto pop3 port PORT user alice keep sslproto '' ${mda}\n`, {
    files: { '.netrc': 'machine HOST\n  login alice\n  password pw\n' },
  }),
  deleted(
    'flush, fetchall and the like beside no keep',
    `poll HOST proto pop3 port PORT timeout 30 user alice there pass pw is me here no keep fetchall flush limit 0 batchlimit 10 expunge 5 sslproto '' ${mda}\n`,
  ),
  kept(
    'old words: server, pre-authenticate, username, and = between',
    `server HOST proto=pop3 port=PORT username=alice password=pw keep sslproto='' mda="cat >> HOME/out"\n`,
  ),
]
