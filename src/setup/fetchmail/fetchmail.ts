// What a .fetchmailrc means in popfetch's configuration, and which UIDLs the .fetchids beside it has. Its grammar is
// grammar.ts. Pure.
// One rule: a setting that would be less safe, or would lose mail, is not taken over but named in a remark.
import { isLoopback } from '../../config/values/host.ts'
import { formatDuration } from '../../config/values/quantity.ts'
import type { Written } from '../../config/values/written.ts'
import { display } from '../../display.ts'
import { Doubts } from '../doubts.ts'
import { shellWords } from '../delivery-command.ts'
import { fetchmailDelivery, recipientNamed } from './delivery.ts'
import { parseFetchmail, type FetchmailEntry, type FetchmailUser, type Options } from './grammar.ts'
import { mechanismNamed } from '../../pop3/sign-in/mechanisms.ts'
import { sortedByRecipient, type Sorted } from '../multidrop.ts'
import { filledLines } from '../text.ts'
import { remarksOn, type WordList } from '../words.ts'
import { MULTIDROP, optionWords, SAID_EITHER_WAY, settingWords } from './words.ts'
import {
  asWritten,
  hostOf,
  limitOf,
  listed,
  present,
  writtenSecret,
  sizeText,
  timeoutText,
  type ImportContext,
  type Imported,
  type ImportedAccount,
  type SeenLists,
  type SeenUidl,
} from '../imported.ts'

const PORTS: Readonly<Record<string, number>> = { pop3: 110, 'pop-3': 110, pop3s: 995 }

/** Mechanisms that popfetch knows by a name; the others have no counterpart. */
const AUTH: Readonly<Record<string, string | null>> = {
  any: null,
  password: null,
  'cram-md5': 'cram-md5',
  apop: 'apop',
  xoauth2: 'xoauth2',
  oauthbearer: 'oauthbearer',
}

export function importFetchmail(text: string, context: ImportContext & { readonly idfile: string }): Imported {
  const { settings, entries, strangeLines } = parseFetchmail(text)
  const daemonSeconds = number(settings['daemon'])
  const idfile = string(settings['idfile']) ?? context.idfile
  const remarks = strangeLines.map((line) => `line ${line} of the old file has a word that fetchmail does not know`)
  remarks.push(...missed(settings, settingWords))
  // Its lines are another program's. Two programs that write one file spoil it for readers.
  if (settings['logfile'] !== undefined)
    remarks.push(
      'set logfile: popfetch has a log of its own (popfetch log); write log: { file: PATH } for another place',
    )
  const file = {
    ...context,
    daemonSeconds,
    idfile,
    postmaster: string(settings['postmaster']),
    invisible: settings['invisible'] === true,
    hasStrangeLines: strangeLines.length > 0,
  }
  return {
    accounts: entries.flatMap((entry) =>
      entry.users.length === 0
        ? [accountOf(entry, { remote: null, local: [], options: {} }, file)]
        : entry.users.map((user) => accountOf(entry, user, file)),
    ),
    settings: present({
      defaults: daemonSeconds > 0 ? { poll: pollText(daemonSeconds) } : null,
    }),
    remarks,
  }
}

/** What holds for all entries of a file. */
interface FileContext extends ImportContext {
  readonly daemonSeconds: number
  readonly idfile: string
  /** Who gets what names nobody. */
  readonly postmaster: string | null
  /** No Received field is put on top. */
  readonly invisible: boolean
  /** fetchmail itself would not have used the file. */
  readonly hasStrangeLines: boolean
}

function accountOf(entry: FetchmailEntry, user: FetchmailUser, context: FileContext): ImportedAccount {
  const { daemonSeconds, idfile, hasStrangeLines } = context
  const server = entry.options
  const options = user.options
  const remarks: string[] = []
  const doubts = new Doubts()
  if (hasStrangeLines) doubts.note("the old file has a word that is not one of fetchmail's, it may have meant keep")
  const count = (from: Options, name: string): number => doubts.count(name, string(from[name]) ?? undefined)
  const host = hostOf(string(server['via']) ?? entry.name)
  const remote = user.remote ?? context.localUser
  const service = string(server['service']) ?? string(server['port'])
  const tls = tlsOf(host, options, remarks)
  const isOurs = isPop3(string(server['proto']), remarks)
  if (entry.skip) remarks.unshift('fetchmail polled this only when asked for by name (skip)')
  if (user.remote === null) remarks.push('no user was given: fetchmail used the name of the user it ran as')
  const auth = authOf(server, remarks)
  const { deliver: told, remarks: toldOfThem } = fetchmailDelivery(server, user, context)
  const { recipient, deliver, remarks: toldOfRecipients } = multidrop(server, user, remote, told, context)
  remarks.push(
    ...toldOfThem,
    ...fetched(options),
    ...missed({ ...server, ...options }, optionWords),
    ...toldOfRecipients,
  )
  const limit = limitOf(count(options, 'fetchlimit'))
  const maxSize = sizeText(count(options, 'limit'))
  const poll = pollOf(count(server, 'interval'), daemonSeconds, remarks)
  const timeoutSeconds = count(server, 'timeout')
  const port = service === null ? (tls === 'implicit' ? 995 : 110) : (PORTS[service] ?? Number(service))
  const programOf = (line: string | null): readonly string[] | null => {
    if (line === null || line.trim() === '') return null
    const { run, remarks: about } = shellWords(line, context.env)
    remarks.push(...about)
    return run
  }
  return {
    name: entry.users.length > 1 ? `${remote.replace(/@.*/, '')}-${entry.name}` : entry.name,
    host,
    port,
    user: remote,
    secret: passwordOf(options, context.netrc.password(host, remote)),
    secretKey: mechanismNamed(auth ?? 'auto')?.secret ?? 'password',
    keys: present({
      tls: tls === 'implicit' ? null : tls,
      tlsName: tls === 'none' ? null : string(options['sslcommonname']),
      pin: tls === 'none' ? null : pinOf(string(options['sslfingerprint']), remarks),
      ca: string(options['sslcertfile']),
      clientCert: string(options['sslcert']),
      clientKey: string(options['sslkey']) ?? (options['sslcert'] === undefined ? null : options['sslcert']),
      auth,
      recipient,
      via: pluginOf(string(server['plugin']), host, port),
      before: programOf(string(options['preconnect'])),
      after: programOf(string(options['postconnect'])),
      delete: doubts.deletion(options['keep'] === true ? 'never' : 'after-delivery'),
      limit,
      maxSize,
      poll,
      timeout: timeoutText(timeoutSeconds),
    } satisfies Written),
    deliver: context.invisible ? deliver.map((target) => ({ ...target, trace: false })) : deliver,
    warnings: doubts.warnings,
    remarks,
    oldHosts: [entry.name],
    off: entry.skip || !isOurs,
    seen: { file: idfile, listsOf: fetchids, keys: headsOf(remote, [host, entry.name]), spellings: asWritten },
  }
}

function isPop3(proto: string | null, remarks: string[]): boolean {
  const name = (proto ?? 'auto').toLowerCase()
  if (name === 'auto') {
    remarks.push('no protocol was given: fetchmail may have used IMAP, popfetch speaks POP3 only')
    return true
  }
  if (name === 'pop3' || name === 'apop') return true
  remarks.unshift(`protocol ${display(name, 20)}: popfetch speaks POP3 only`)
  return false
}

function tlsOf(host: string, options: Options, remarks: string[]): 'implicit' | 'starttls' | 'none' {
  if (options['sslcertck'] === false) {
    remarks.push(
      'no sslcertck: the certificate is checked now; ca or pin accept one that is not signed by the usual authorities',
    )
  }
  if (options['ssl'] === true) return 'implicit'
  const proto = string(options['sslproto'])
  if (proto === '' || (proto === null && isLoopback(host))) return 'none'
  if (proto === null) {
    remarks.push('fetchmail went on without TLS when the server had none; popfetch does so only with tls: none')
  }
  return 'starttls'
}

/** `{SHA256}` and hexadecimal digits, from 6.5 on; MD5 without a word in front (M008, dropped fingerprints). */
function pinOf(fingerprint: string | null, remarks: string[]): string | null {
  if (fingerprint === null) return null
  const digits = /^\{SHA256\}\s*((?:[0-9A-Fa-f]{2}:?){32})$/i.exec(fingerprint.trim())?.[1]
  if (digits !== undefined) return digits.replaceAll(':', '').toLowerCase()
  remarks.push(
    'sslfingerprint: popfetch pins SHA-256, and this is not one: `popfetch check --verbose` shows what to write as pin',
  )
  return null
}

function authOf(server: Options, remarks: string[]): string | null {
  if (string(server['proto'])?.toLowerCase() === 'apop') return 'apop'
  const name = (string(server['auth']) ?? 'any').toLowerCase()
  const auth = AUTH[name]
  if (auth === undefined) remarks.push(`auth ${display(name, 20)}: the best mechanism that the server offers is used`)
  return auth ?? null
}

/** fetchmail splits it at blanks, without a shell, and puts host and port in. */
function pluginOf(plugin: string | null, host: string, port: number): readonly string[] | null {
  const words = (plugin ?? '').split(/\s+/).filter((word) => word !== '')
  if (words.length === 0) return null
  return words.map((word) => word.replaceAll('%h', host).replaceAll('%p', String(port)))
}

function passwordOf(options: Options, fromNetrc: string | null): ImportedAccount['secret'] {
  const file = string(options['passwordfile'])
  if (file !== null) return { kind: 'file', path: file }
  return writtenSecret(string(options['password']) ?? fromNetrc)
}

/** As `poll` takes it: twenty days at most. */
function pollText(seconds: number): string {
  return formatDuration(Math.min(seconds, 20 * 86_400) * 1000)
}

function pollOf(interval: number, daemonSeconds: number, remarks: string[]): string | null {
  if (interval <= 1) return null
  if (daemonSeconds > 0) return pollText(interval * daemonSeconds)
  remarks.push(`interval ${interval}: write how often the daemon polls it as poll`)
  return null
}

function fetched(options: Options): readonly string[] {
  if (options['fetchall'] !== true || options['keep'] !== true) return []
  return ['fetchall with keep: fetchmail fetched everything each time; popfetch fetches each message once']
}

/** `no WORD` is what popfetch does with most words that have no counterpart. */
function missed(options: Options, words: WordList): readonly string[] {
  const said = Object.keys(options).filter((name) => {
    const value = options[name]
    return (value !== false && value !== '0') || SAID_EITHER_WAY.has(name)
  })
  return remarksOn(said, words)
}

/** Whose mail each message is, where several names or `*` stand behind `is` (fetchmail(1), the use and abuse of multidrop). */
function multidrop(
  server: Options,
  { local, options }: FetchmailUser,
  remote: string,
  deliver: readonly Written[],
  context: FileContext,
): Sorted {
  const said = MULTIDROP.filter((name) => ![undefined, false].includes({ ...server, ...options }[name] as undefined))
  if (local.length <= 1 && !local.includes('*')) {
    const unused = said.length === 0 ? [] : [`${said.join(', ')}: not needed, all mail goes to one name`]
    return { recipient: null, deliver, remarks: unused }
  }
  const names = server['localdomains']
  const qvirtual = string(server['qvirtual'])
  const sorted = sortedByRecipient(
    {
      header: qvirtual === null ? string(server['envelope']) : null,
      domains: Array.isArray(names) ? names.map(String) : [],
      user: remote,
      otherwise: context.postmaster ?? context.localUser,
      // Unless `smtpname` fixes it.
      usual: recipientNamed(local, context),
    },
    deliver,
  )
  const prefix = qvirtual === null ? [] : [`qvirtual ${display(qvirtual, 40)}: a prefix of the address is not cut off`]
  const others = said.filter((name) => name === 'aka' || name === 'fetchdomains')
  const more = others.length === 0 ? [] : [`${others.join(', ')}: not needed`]
  const changed = sorted.recipient === null ? [] : translated(local)
  return { ...sorted, remarks: [...sorted.remarks, ...changed, ...prefix, ...more] }
}

/** `theirs=ours`, and names without `*`, which let no other name in. */
function translated(local: readonly string[]): readonly string[] {
  const changed = local.filter((name) => /.=./.test(name))
  const remarks = changed.length === 0 ? [] : [`${shownNames(changed)}: use aliases of the mail server to change names`]
  if (local.includes('*')) return remarks
  return [...remarks, `${shownNames(local)}: other names are handed over, too, and the mail server decides`]
}

function shownNames(names: readonly string[]): string {
  const shown = names.slice(0, 10).map((name) => display(name, 40))
  return names.length > shown.length ? `${shown.join(', ')} …` : shown.join(', ')
}

/** `USER@HOST UIDL` a line; very old files have `HOST USER UIDL`. */
function fetchids(text: string): SeenLists {
  const lists = new Map<string, SeenUidl[]>()
  for (const line of filledLines(text)) {
    const written = line.trimEnd()
    const at = written.lastIndexOf(' ')
    if (at > 0) {
      const seen = { uidl: written.slice(at + 1), sinceMs: null }
      listed(lists, written.slice(0, at).trim().toLowerCase(), seen)
    }
  }
  return lists
}

function headsOf(user: string, hosts: readonly string[]): readonly string[] {
  const login = Buffer.from(user).toString('latin1')
  return hosts.flatMap((host) => [`${login}@${host}`, `${host} ${login}`].map((head) => head.toLowerCase()))
}

function string(value: Options[string] | undefined): string | null {
  return typeof value === 'string' ? value : null
}

/** 0: not there, or no number. */
function number(value: Options[string] | undefined): number {
  return typeof value === 'string' && /^\d{1,9}$/.test(value) ? Number(value) : 0
}
