// What an .mpoprc means in popfetch's configuration, and which UIDLs the files of its accounts have. `eval` lines are not run. Its
// grammar is grammar.ts. Pure.
import { isDeepStrictEqual } from 'node:util'
import { formatDuration } from '../../config/values/quantity.ts'
import { isLoopback } from '../../config/values/host.ts'
import type { Written } from '../../config/values/written.ts'
import { display } from '../../display.ts'
import { shellLine } from '../delivery-command.ts'
import { Doubts } from '../doubts.ts'
import { mechanismNamed } from '../../pop3/sign-in/mechanisms.ts'
import {
  ageRemark,
  asWritten,
  hostOf,
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
  timeOf,
} from '../imported.ts'
import { oldPath } from '../old-path.ts'
import { filledLines } from '../text.ts'
import { remarksOn } from '../words.ts'
import { mpopAccounts, type MpopAccount, type Settings, unquoted } from './grammar.ts'
import { mpopWords } from './words.ts'

/** A hundred years, as the configuration has it. */
const LONGEST_AGE_SECONDS = 36_500 * 86_400

const SWITCH = { on: ['', 'on'], off: ['off'] }

export function importMpop(text: string, context: ImportContext): Imported {
  const { accounts, strangeLines, evalLines } = mpopAccounts(text)
  const imported = accounts.map((account) => accountOf(account, context, strangeLines.length > 0))
  // `account default : other` is how mpop names its usual account: the same mailbox once more.
  const isTwin = (account: ImportedAccount): boolean =>
    account.name === 'default' &&
    imported.some((other) => other !== account && isDeepStrictEqual(comparable(other), comparable(account)))
  return {
    accounts: imported.filter((account) => !isTwin(account)),
    settings: {},
    remarks: [
      ...evalLines.map((line) => `line ${line} of the old file is an eval: it was not run, write its result`),
      ...strangeLines.map((line) => `line ${line} of the old file is not one of mpop's`),
    ],
  }
}

function comparable(account: ImportedAccount): object {
  return { ...account, name: '', seen: account.seen?.file }
}

/** `hasStrangeLines`: mpop itself would not have used the file. */
function accountOf(
  { name, settings, evals }: MpopAccount,
  context: ImportContext,
  hasStrangeLines: boolean,
): ImportedAccount {
  const remarks: string[] = []
  const doubts = new Doubts()
  if (hasStrangeLines) doubts.note("a line of the old file is not one of mpop's, it may have changed what follows")
  if (evals) doubts.note('an eval of the old file was not run, it may give any setting')
  const { host = '', user = '' } = settings
  const tls = tlsOf(hostOf(host), settings, doubts, remarks)
  const auth = authOf(settings, remarks)
  if (!isOn(settings, 'only_new', true, doubts)) remarks.push('only_new off: each message is fetched once')
  const trust = settings['tls_trust_file'] ?? 'system'
  const deliver = deliveryOf(settings, context, doubts, remarks)
  const policy = deleteOf(settings['keep'], doubts, remarks)
  const maxSize = sizeText(sizeOf('skipsize', settings, doubts) || sizeOf('killsize', settings, doubts))
  const timeout = timeoutOf(settings['timeout'], doubts)
  const pipelining = pipeliningOf(settings['pipelining'], doubts)
  return {
    name,
    host: hostOf(host),
    port: settings['port'] === undefined ? (tls === 'implicit' ? 995 : 110) : Number(settings['port']),
    user,
    secret: secretFrom(settings, context, remarks),
    secretKey: mechanismNamed(auth ?? 'auto')?.secret ?? 'password',
    keys: present({
      tls: tls === 'implicit' ? null : tls,
      tlsName: tls === 'none' ? null : settings['tls_host_override'] || null,
      ca: trust === 'system' || trust === '' ? null : trust,
      pin: pinOf(settings['tls_fingerprint'], remarks),
      clientCert: settings['tls_cert_file'] || null,
      clientKey: settings['tls_key_file'] || null,
      auth,
      delete: doubts.deletion(policy),
      maxSize,
      timeout,
      pipelining,
      proxy: settings['proxy_host'] ? `socks5://${settings['proxy_host']}:${settings['proxy_port'] || '1080'}` : null,
    }),
    deliver,
    warnings: doubts.warnings,
    remarks: [...remarks, ...missed(settings)],
    oldHosts: [host],
    off: false,
    seen: {
      file: (settings['uidls_file'] ?? '~/.mpop_uidls/%U_at_%H').replaceAll('%U', user).replaceAll('%H', host),
      listsOf: uidls,
      keys: [mailboxOf(host, Buffer.from(user).toString('latin1'))],
      spellings: asWritten,
    },
  }
}

/** `keep` is a switch, or how long a message stays from when mpop saw it first: `1d 11h 60m`. */
function deleteOf(keep: string | undefined, doubts: Doubts, remarks: string[]): string {
  if (keep === '' || keep === 'on') return 'never'
  if (keep === undefined || keep === 'off') return 'after-delivery'
  const ageSeconds = retentionOf(keep)
  if (ageSeconds === null) {
    doubts.unknownWord('keep', keep)
    return 'never'
  }
  if (ageSeconds === 0) return 'after-delivery'
  const age = formatDuration(ageSeconds * 1000)
  remarks.push(ageRemark(`keep ${display(keep, 30)}`, 'mpop', age))
  return age
}

const UNIT_SECONDS: Readonly<Record<string, number>> = { d: 86_400, h: 3600, m: 60, s: 1 }

/** Null: no duration. */
function retentionOf(text: string): number | null {
  if (!/^(?:\s*\d{1,9}[dhms])+$/.test(text)) return null
  const parts = text.matchAll(/(\d{1,9})([dhms])/g)
  const seconds = [...parts].map(([, digits = '', unit = '']) => Number(digits) * (UNIT_SECONDS[unit] ?? 0))
  const sum = seconds.reduce((total, each) => total + each, 0)
  return sum <= LONGEST_AGE_SECONDS ? sum : null
}

function timeoutOf(text: string | undefined, doubts: Doubts): string | null {
  if (text === undefined || text === 'off') return null
  const seconds = doubts.count('timeout', text)
  return timeoutText(seconds)
}

function pipeliningOf(text: string | undefined, doubts: Doubts): 'off' | null {
  if (text === 'auto') return null
  return doubts.switched('pipelining', text, SWITCH, true) ? null : 'off'
}

function tlsOf(host: string, settings: Settings, doubts: Doubts, remarks: string[]): 'implicit' | 'starttls' | 'none' {
  // Who wrote some word for tls did not mean to go without.
  const isPlain = !isOn(settings, 'tls', false, doubts) && (settings['tls'] ?? 'off') === 'off'
  const isStarttls = isOn(settings, 'tls_starttls', true, doubts)
  const isChecked = isOn(settings, 'tls_certcheck', true, doubts)
  if (isPlain) {
    if (!isLoopback(host))
      remarks.push('tls off: the password is sent unencrypted, as before: try tls: starttls, or no tls line at all')
    return 'none'
  }
  if (!isChecked || settings['tls_trust_file'] === '') {
    remarks.push(
      'tls_certcheck off: the certificate is checked now; ca or pin accept one that is not signed by the usual authorities',
    )
  }
  return isStarttls ? 'starttls' : 'implicit'
}

function authOf(settings: Settings, remarks: string[]): string | null {
  const method = settings['auth'] ?? 'on'
  if (method === '' || method === 'on') return null
  if (mechanismNamed(method) !== null) return method
  remarks.push(`auth ${display(method, 30)}: the best mechanism that the server offers is used`)
  return null
}

function secretFrom(settings: Settings, context: ImportContext, remarks: string[]): ImportedAccount['secret'] {
  const { host = '', user = '', password, passwordeval } = settings
  if (password) return writtenSecret(password)
  if (passwordeval) return { kind: 'command', run: passwordeval }
  const fromNetrc = context.netrc.password(host, user)
  if (fromNetrc !== null) return writtenSecret(fromNetrc)
  remarks.push('no password was given: mpop asked the keyring of the desktop, or a person')
  return { kind: 'command', run: ['secret-tool', 'lookup', 'host', host, 'service', 'pop3', 'user', user] }
}

function deliveryOf(settings: Settings, { env }: ImportContext, doubts: Doubts, remarks: string[]): readonly Written[] {
  const [, method = '', written = ''] = /^(\w*)[\s,]*(.*)$/.exec(settings['delivery'] ?? '') ?? []
  const argument = unquoted(written.trim())
  const trace = isOn(settings, 'received_header', true, doubts) ? {} : { trace: false }
  if (method === 'maildir' || method === 'mbox') return [{ type: method, path: oldPath(argument, doubts), ...trace }]
  if (method === 'mda') {
    const { destination, remarks: told } = shellLine(argument, null, env)
    remarks.push(...told)
    return [{ ...destination, ...trace }]
  }
  remarks.push(
    method === ''
      ? 'no delivery was given: write deliver'
      : `delivery ${display(method, 30)}: popfetch has no such destination: write another in deliver`,
  )
  return []
}

function pinOf(fingerprint: string | undefined, remarks: string[]): string | null {
  const digits = (fingerprint ?? '').replaceAll(':', '')
  if (digits === '') return null
  if (/^[0-9A-Fa-f]{64}$/.test(digits)) return digits.toLowerCase()
  remarks.push('tls_fingerprint: pin takes SHA-256: `popfetch check --verbose` shows it')
  return null
}

function missed(settings: Settings): readonly string[] {
  const said = Object.entries(settings).filter(([, value]) => value !== undefined && value !== '' && value !== 'off')
  return remarksOn(
    said.map(([name]) => name),
    mpopWords,
  )
}

function isOn(settings: Settings, name: string, otherwise: boolean, doubts: Doubts): boolean {
  return doubts.switched(name, settings[name], SWITCH, otherwise)
}

/** Bytes, or kibibytes and mebibytes with `k` and `m`; 0: none. */
function sizeOf(name: string, settings: Settings, doubts: Doubts): number {
  const text = settings[name]
  if (text === undefined || text === 'off') return 0
  const [, digits, unit = ''] = /^(\d{1,12})([km]?)$/.exec(text) ?? []
  if (digits === undefined) {
    doubts.unknownWord(name, text)
    return 0
  }
  return Number(digits) * (unit === 'k' ? 1024 : unit === 'm' ? 1024 * 1024 : 1)
}

/** ` COUNT HOST USER` begins a list, then a line for each message. Its UIDL, and from 1.4.23 on the seconds since 1970 when mpop
 *  saw it first. Comments stand before the first list only: a UIDL may begin with `#`. */
function uidls(text: string): SeenLists {
  const lists = new Map<string, SeenUidl[]>()
  let whose: string | null = null
  for (const line of filledLines(text)) {
    const [, host, login = ''] = /^ \d+ (\S+) (.*)$/.exec(line) ?? []
    if (host !== undefined) whose = mailboxOf(host, login)
    else if (whose !== null) listed(lists, whose, seenOf(line))
  }
  return lists
}

function seenOf(line: string): SeenUidl {
  const at = line.lastIndexOf(' ')
  const sinceMs = at > 0 ? timeOf(line.slice(at + 1)) : null
  return { uidl: sinceMs === null ? line : line.slice(0, at), sinceMs }
}

function mailboxOf(host: string, login: string): string {
  return `${host.toLowerCase()} ${login}`
}
