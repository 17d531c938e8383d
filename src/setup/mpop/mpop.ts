// What an .mpoprc means in popfetch's configuration, and which UIDLs the files of its accounts have. `eval` lines are not run. Its
// grammar is grammar.ts. Pure.
import { isDeepStrictEqual } from 'node:util'
import { isLoopback } from '../../config/values/host.ts'
import type { Written } from '../../config/values/written.ts'
import { display } from '../../display.ts'
import { commandDestination } from '../delivery-command.ts'
import { mechanismNamed } from '../../pop3/sign-in/mechanisms.ts'
import {
  asWritten,
  hostOf,
  listed,
  present,
  writtenSecret,
  sizeText,
  type ImportContext,
  type Imported,
  type ImportedAccount,
} from '../imported.ts'
import { filledLines } from '../text.ts'
import { mpopAccounts, type MpopAccount, type Settings } from './grammar.ts'

/** Settings without a counterpart, each with the remark for it. */
const WITHOUT_COUNTERPART: Readonly<Record<string, string>> = {
  source_ip: 'the system chooses the address',
  socket: 'a server is reached over TCP',
  ntlmdomain: 'there is no NTLM',
  tls_crl_file: 'not used',
  tls_priorities: 'as the system has them',
  tls_min_dh_prime_bits: 'as the system has them',
  tls_host_override: 'the certificate must be for the host; pin accepts a certain one',
  killsize: 'larger messages are kept back (maxSize), never deleted',
  filter: 'there are no filters: route and maxSize sort by header and size',
}

export function importMpop(text: string, context: ImportContext): Imported {
  const { accounts, strangeLines, evalLines } = mpopAccounts(text)
  const imported = accounts.map((account) => accountOf(account, context))
  // `account default : other` is how mpop names its usual account: the same mailbox once more.
  const isTwin = (account: ImportedAccount): boolean =>
    account.name === 'default' &&
    imported.some((other) => other !== account && isDeepStrictEqual(comparable(other), comparable(account)))
  return {
    accounts: imported.filter((account) => !isTwin(account)),
    settings: {},
    remarks: [
      ...evalLines.map((line) => `line ${line} of the old file is an eval: it was not run, write what it gives`),
      ...strangeLines.map((line) => `line ${line} of the old file is not one of mpop's`),
    ],
  }
}

function comparable(account: ImportedAccount): object {
  return { ...account, name: '', seen: account.seen?.file }
}

function accountOf({ name, settings }: MpopAccount, context: ImportContext): ImportedAccount {
  const remarks: string[] = []
  const { host = '', user = '' } = settings
  const tls = tlsOf(hostOf(host), settings, remarks)
  const auth = authOf(settings, remarks)
  if (!isOn(settings['only_new'], true)) remarks.push('only_new off: each message is fetched once')
  const trust = settings['tls_trust_file'] ?? 'system'
  const keep = isOn(settings['keep'], false)
  return {
    name,
    host: hostOf(host),
    port: settings['port'] === undefined ? (tls === 'implicit' ? 995 : 110) : Number(settings['port']),
    user,
    secret: secretFrom(settings, context, remarks),
    secretKey: mechanismNamed(auth ?? 'auto')?.secret ?? 'password',
    keys: present({
      tls: tls === 'implicit' ? null : tls,
      ca: trust === 'system' || trust === '' ? null : trust,
      pin: pinOf(settings['tls_fingerprint'], remarks),
      clientCert: settings['tls_cert_file'] || null,
      clientKey: settings['tls_key_file'] || null,
      auth,
      delete: keep ? 'never' : 'after-delivery',
      maxSize: sizeText(sizeOf(settings['skipsize']) || sizeOf(settings['killsize'])),
      timeout: /^\d{1,5}$/.test(settings['timeout'] ?? '') ? `${settings['timeout']}s` : null,
      pipelining: settings['pipelining'] === 'off' ? 'off' : null,
      proxy: settings['proxy_host'] ? `socks5://${settings['proxy_host']}:${settings['proxy_port'] || '1080'}` : null,
    }),
    deliver: deliveryOf(settings, remarks),
    remarks: [...remarks, ...missed(settings)],
    off: false,
    seen: {
      file: (settings['uidls_file'] ?? '~/.mpop_uidls/%U_at_%H').replaceAll('%U', user).replaceAll('%H', host),
      listsOf: uidls,
      keys: [mailboxOf(host, Buffer.from(user).toString('latin1'))],
      spellings: asWritten,
    },
  }
}

function tlsOf(host: string, settings: Settings, remarks: string[]): 'implicit' | 'starttls' | 'none' {
  if (!isOn(settings['tls'], false)) {
    if (!isLoopback(host))
      remarks.push('tls off: the password goes unencrypted, as it did: try tls: starttls, or no tls line at all')
    return 'none'
  }
  if (!isOn(settings['tls_certcheck'], true) || settings['tls_trust_file'] === '') {
    remarks.push(
      'tls_certcheck off: the certificate is checked now; ca or pin accept one that is not signed by the usual authorities',
    )
  }
  return isOn(settings['tls_starttls'], true) ? 'starttls' : 'implicit'
}

function authOf(settings: Settings, remarks: string[]): string | null {
  const method = settings['auth'] ?? 'on'
  if (method === '' || method === 'on') return null
  if (mechanismNamed(method) !== null) return method
  remarks.push(`auth ${display(method, 30)}: the best way that the server offers is taken`)
  return null
}

function secretFrom(settings: Settings, context: ImportContext, remarks: string[]): ImportedAccount['secret'] {
  const { host = '', user = '', password, passwordeval } = settings
  if (password) return writtenSecret(password)
  if (passwordeval) return { kind: 'command', run: passwordeval }
  const fromNetrc = context.netrc(host, user)
  if (fromNetrc !== null) return writtenSecret(fromNetrc)
  remarks.push('no password was written: mpop asked the key ring of the desktop for it, or a person')
  return { kind: 'command', run: ['secret-tool', 'lookup', 'host', host, 'service', 'pop3', 'user', user] }
}

function deliveryOf(settings: Settings, remarks: string[]): readonly Written[] {
  const [, method = '', argument = ''] = /^(\w*)[\s,]*(.*)$/.exec(settings['delivery'] ?? '') ?? []
  const trace = isOn(settings['received_header'], true) ? {} : { trace: false }
  if (method === 'maildir' || method === 'mbox') return [{ type: method, path: argument, ...trace }]
  if (method === 'mda') return [{ ...commandDestination(argument, null), ...trace }]
  remarks.push(
    method === ''
      ? 'no delivery was written: write deliver'
      : `delivery ${display(method, 30)}: there is no such destination: write another in deliver`,
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
  return Object.entries(WITHOUT_COUNTERPART).flatMap(([name, why]) => {
    const value = settings[name]
    return value === undefined || value === '' || value === 'off' ? [] : [`${name}: ${why}`]
  })
}

function isOn(value: string | undefined, otherwise: boolean): boolean {
  return value === undefined ? otherwise : value === '' || value === 'on'
}

/** Bytes, or kibibytes and mebibytes with `k` and `m`; 0: none. */
function sizeOf(text: string | undefined): number {
  const [, digits, unit = ''] = /^(\d{1,12})([km]?)$/i.exec(text ?? '') ?? []
  const factor = unit.toLowerCase() === 'k' ? 1024 : unit.toLowerCase() === 'm' ? 1024 * 1024 : 1
  return digits === undefined ? 0 : Number(digits) * factor
}

/** ` COUNT HOST USER` begins a list, then a UIDL a line. */
function uidls(text: string): ReadonlyMap<string, readonly string[]> {
  const lists = new Map<string, string[]>()
  let whose: string | null = null
  for (const line of filledLines(text)) {
    const [, host, login = ''] = /^ \d+ (\S+) (.*)$/.exec(line) ?? []
    if (host !== undefined) whose = mailboxOf(host, login)
    else if (whose !== null && !line.startsWith('#')) listed(lists, whose, line)
  }
  return lists
}

function mailboxOf(host: string, login: string): string {
  return `${host.toLowerCase()} ${login}`
}
