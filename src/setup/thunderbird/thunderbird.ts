// What the POP3 servers of a Thunderbird profile mean in popfetch's configuration, and which UIDLs their popstate.dat has.
// Passwords are not read: Thunderbird keeps them encrypted in a database of its own. Its grammar is prefs.ts. Pure.
import type { Written } from '../../config/values/written.ts'
import { isLoopback } from '../../config/values/host.ts'
import { Doubts } from '../doubts.ts'
import {
  ageRemark,
  asWritten,
  hostOf,
  type Imported,
  type ImportedAccount,
  listed,
  present,
  type SeenLists,
  type SeenUidl,
  timeOf,
} from '../imported.ts'
import { filledLines } from '../text.ts'
import { parsePreferences, type Preference } from './prefs.ts'

type Server = Readonly<Record<string, Preference>>

const SERVER = /^mail\.server\.(server\d{1,9})\.([\w.-]{1,100})$/

/** `profile`: the folder that prefs.js is in. */
export function importThunderbird(text: string, { profile }: { readonly profile: string }): Imported {
  const servers = new Map<string, Record<string, Preference>>()
  for (const [name, value] of Object.entries(parsePreferences(text))) {
    const [, server, key] = SERVER.exec(name) ?? []
    if (server === undefined || key === undefined) continue
    const settings = servers.get(server) ?? (Object.create(null) as Record<string, Preference>)
    settings[key] = value
    servers.set(server, settings)
  }
  const pop3 = [...servers.values()].filter((server) => server['type'] === 'pop3')
  return { accounts: pop3.map((server) => accountOf(server, profile)), settings: {}, remarks: [] }
}

function accountOf(server: Server, profile: string): ImportedAccount {
  const remarks: string[] = []
  const doubts = new Doubts()
  const named = word(server, 'hostname')
  const host = word(server, 'realhostname') || named
  const user = word(server, 'realuserName') || word(server, 'userName')
  const tls = tlsOf(host, server, doubts, remarks)
  const auth = authOf(server, remarks)
  const policy = deleteOf(server, doubts, remarks)
  const minutes = server['check_new_mail'] === true ? (count(server, 'check_time') ?? 10) : null
  if (server['headers_only'] === true) remarks.push('headers_only: popfetch fetches whole messages')
  if (server['limit_offline_message_size'] === true)
    remarks.push('max_size: Thunderbird left larger messages on the server; popfetch fetches them whole, see maxSize')
  remarks.push(
    'Thunderbird kept this mail in folders of its own, which no other program may write to: deliver is a new Maildir',
  )
  const port = count(server, 'port')
  return {
    name: word(server, 'name').includes('@') ? host : word(server, 'name') || host,
    host: hostOf(host),
    port: port ?? (tls === 'implicit' ? 995 : 110),
    user,
    secret: { kind: 'missing' },
    secretKey: auth === 'xoauth2' ? 'token' : 'password',
    keys: present({
      tls: tls === 'implicit' ? null : tls,
      auth,
      delete: doubts.deletion(policy),
      poll: minutes !== null && minutes > 0 && minutes <= 10_080 ? `${minutes}m` : null,
    } satisfies Written),
    deliver: [{ type: 'maildir', path: '~/Mail/{account}' }],
    warnings: doubts.warnings,
    remarks,
    off: false,
    seen: {
      file: `${directoryOf(server, profile, named)}/popstate.dat`,
      listsOf: popstate,
      keys: [mailboxOf(host, user), mailboxOf(named, word(server, 'userName'))],
      spellings: asWritten,
    },
  }
}

/** Thunderbird writes down what differs from its default, and its default was not always the same. */
function deleteOf(server: Server, doubts: Doubts, remarks: string[]): string {
  const leave = server['leave_on_server']
  if (leave === false) return 'after-delivery'
  if (leave !== true) {
    doubts.note(
      'leave_on_server is not written, and older and newer versions of Thunderbird disagree on what that means',
    )
    return 'never'
  }
  if (server['delete_mail_left_on_server'] === true)
    remarks.push('"until I delete them" has no equivalent: nothing is deleted (delete: never)')
  if (server['delete_by_age_from_server'] !== true) return 'never'
  const days = server['num_days_to_leave_on_server'] === undefined ? 7 : count(server, 'num_days_to_leave_on_server')
  if (days === null || days === 0 || days > 36_500) {
    doubts.note('num_days_to_leave_on_server: it is not a number of days')
    return 'never'
  }
  remarks.push(ageRemark('num_days_to_leave_on_server', 'Thunderbird', `${days} days`))
  return `${days}d`
}

function tlsOf(host: string, server: Server, doubts: Doubts, remarks: string[]): 'implicit' | 'starttls' | 'none' {
  switch (Number(server['socketType'] ?? 0)) {
    case 3:
      return 'implicit'
    case 1:
      remarks.push('Thunderbird went on without TLS when the server had none; popfetch does so only with tls: none')
      return 'starttls'
    case 2:
      return 'starttls'
    case 0:
      if (!isLoopback(host))
        remarks.push('no TLS: the password is sent unencrypted, as before: try tls: starttls, or no tls line at all')
      return 'none'
    default:
      doubts.note('socketType: popfetch does not know this number')
      return 'implicit'
  }
}

/** 3: a password as it is; 4: encrypted; 10: OAuth 2.0. */
function authOf(server: Server, remarks: string[]): string | null {
  const method = server['authMethod'] ?? 3
  if (method === 10) {
    remarks.push(
      'OAuth 2.0: write token: { oauth: NAME } and sign in with popfetch auth, or a command that prints a token',
    )
    return 'xoauth2'
  }
  if (method !== 3) remarks.push('authMethod: the best mechanism that the server offers is used')
  return null
}

/** `host`: as it was at first. A server that was renamed keeps its folder. */
function directoryOf(server: Server, profile: string, host: string): string {
  const relative = word(server, 'directory-rel')
  if (relative.startsWith('[ProfD]')) return `${profile}/${relative.slice('[ProfD]'.length)}`
  return word(server, 'directory') || `${profile}/Mail/${host}`
}

/** `*HOST USER` begins a list, then `LETTER UIDL SECONDS` for each message. `k` was fetched and kept, `d` is to be deleted; `b` and
 *  `f` were not fetched whole, so they are new. */
function popstate(text: string): SeenLists {
  const lists = new Map<string, SeenUidl[]>()
  let whose: string | null = null
  for (const line of filledLines(text)) {
    const written = line.endsWith('\r') ? line.slice(0, -1) : line
    if (written.startsWith('*')) {
      const [host = '', user = ''] = written
        .slice(1)
        .trim()
        .split(/[ \t]+/)
      whose = mailboxOf(host, user)
    } else if (whose !== null) {
      const [, letter, uidl, since = ''] = /^([a-z]) (\S+)(?: (\d+))?$/.exec(written) ?? []
      if (uidl !== undefined && (letter === 'k' || letter === 'd'))
        listed(lists, whose, { uidl, sinceMs: timeOf(since) })
    }
  }
  return lists
}

/** In Latin-1, as the record is read. */
function mailboxOf(host: string, user: string): string {
  return `${host.toLowerCase()} ${Buffer.from(user).toString('latin1')}`
}

function word(server: Server, key: string): string {
  const value = server[key]
  return typeof value === 'string' ? value : ''
}

/** Null: missing, or not a positive number. */
function count(server: Server, key: string): number | null {
  const value = server[key]
  return typeof value === 'number' && value >= 0 ? value : null
}
