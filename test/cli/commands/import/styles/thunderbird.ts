// Profiles of Thunderbird as people have them: what prefs.js says of a server, and where its popstate.dat lies.
import type { Style } from './style.ts'

const PROFILES = {
  '.thunderbird/profiles.ini': '[Profile0]\nName=default\nIsRelative=1\nPath=abc.default\n',
  pw: 'pw\n',
}
const PLAIN = [
  'type", "pop3"',
  'hostname", "HOST"',
  'port", PORT',
  'userName", "alice"',
  'socketType", 0',
  'name", "work"',
]
const KEPT = 'leave_on_server", true'
const STATE = '.thunderbird/abc.default/Mail/HOST/popstate.dat'

/** One server; `last`: behind the lines of the others. */
function prefs(settings: readonly string[], { server = 'server1', end = '\n', last = '' } = {}): string {
  return settings.map((one) => `user_pref("mail.server.${server}.${one});${end}`).join('') + last
}

interface Kind {
  readonly text: string
  readonly deletes?: boolean
  readonly record?: NonNullable<Style['record']>
}

const KINDS: Readonly<Record<string, Kind>> = {
  'mail is left on the server': { text: prefs([...PLAIN, KEPT]) },
  'mail is not left on the server': { text: prefs([...PLAIN, 'leave_on_server", false']), deletes: true },
  'nothing is said of leaving it': { text: prefs(PLAIN) },
  'left for two weeks': {
    text: prefs([...PLAIN, KEPT, 'delete_by_age_from_server", true', 'num_days_to_leave_on_server", 14']),
  },
  'left for a number of days that is none': {
    text: prefs([...PLAIN, KEPT, 'delete_by_age_from_server", true', 'num_days_to_leave_on_server", "some"']),
  },
  'left until it is deleted here': { text: prefs([...PLAIN, KEPT, 'delete_mail_left_on_server", true']) },
  'looked at every five minutes': {
    text: prefs([...PLAIN, KEPT, 'check_new_mail", true', 'check_time", 5', 'login_at_startup", true']),
  },
  'line ends of Windows': { text: prefs([...PLAIN, KEPT], { end: '\r\n' }) },
  'comments, and a mark at the beginning': {
    text: `\ufeff// Mozilla User Preferences\n# do not edit\n/* many\n lines */\n${prefs([...PLAIN, KEPT])}`,
  },
  'an IMAP account and a news server beside it': {
    text: prefs([...PLAIN, KEPT], {
      last: prefs(['type", "imap"', 'hostname", "imap.example.org"', 'userName", "bob"'], {
        server: 'server2',
        last: prefs(['type", "nntp"', 'hostname", "news.example.org"'], { server: 'server3' }),
      }),
    }),
  },
  'a server that was renamed': {
    text: prefs([
      ...PLAIN.with(1, 'hostname", "old.example.org"'),
      KEPT,
      'realhostname", "HOST"',
      'realuserName", "alice"',
    ]),
    record: {
      file: '.thunderbird/abc.default/Mail/old.example.org/popstate.dat',
      text: '*old.example.org alice\nk u1 1700000000\nk u2 1700000000\n',
    },
  },
  'mail in a folder of its own': {
    text: prefs([...PLAIN, KEPT, 'directory-rel", "[ProfD]Mail/Old post"']),
    record: {
      file: '.thunderbird/abc.default/Mail/Old post/popstate.dat',
      text: '*HOST alice\nk u1 1700000000\nk u2 1700000000\n',
    },
  },
  'mail in a folder elsewhere': {
    text: prefs([...PLAIN, KEPT, 'directory", "HOME/post"']),
    record: { file: 'post/popstate.dat', text: '*HOST alice\nk u1 1700000000\nk u2 1700000000\n' },
  },
  'a record of several mailboxes, with line ends of Windows': {
    text: prefs([...PLAIN, KEPT]),
    record: {
      file: STATE,
      text: '# POP3 State File\r\n*pop.example.org carol\r\nk u4 1700000000\r\n*HOST alice\r\nk u1 1700000000\r\nk u2 1700000000\r\n',
    },
  },
  'a record without times': {
    text: prefs([...PLAIN, KEPT]),
    record: { file: STATE, text: '*HOST alice\nk u1\nk u2\n' },
  },
}

export const thunderbirdStyles: readonly Style[] = Object.entries(KINDS).map(
  ([title, { text, deletes = false, ...others }]) => ({
    title,
    text,
    deletes,
    files: PROFILES,
    mail: 'Mail/work',
    ...others,
  }),
)
