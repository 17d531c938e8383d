// What a getmailrc means in popfetch's configuration, and which UIDLs the oldmail file of its mailbox has. Its destinations are
// delivery.ts, the format of the file is ini.ts. Pure.
import { isLoopback } from '../../config/values/host.ts'
import { pinKeys } from '../../config/values/values.ts'
import { display } from '../../display.ts'
import { Doubts } from '../doubts.ts'
import { destinationSections, getmailDelivery } from './delivery.ts'
import {
  ageRemark,
  hostOf,
  limitOf,
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
import { parseIni, parseStrings, type Section, withDefaults } from '../ini.ts'
import { oldPath } from '../old-path.ts'
import { filledLines } from '../text.ts'
import { sortedByRecipient } from '../multidrop.ts'
import { remarksOn } from '../words.ts'
import { destinationWords, optionWords, retrieverWords } from './words.ts'

export interface GetmailContext extends ImportContext {
  /** Name of the file, without its directory. */
  readonly name: string
  /** Where getmail keeps its oldmail files. */
  readonly directory: string
}

/** As the configuration has it. */
const LONGEST_AGE_DAYS = 36_500

/** As Python's configparser reads them, in any case. */
const SWITCH = { on: ['1', 'true', 'yes', 'on'], off: ['0', 'false', 'no', 'off'] }

export function importGetmail(text: string, place: GetmailContext): Imported {
  const sections = withDefaults(parseIni(text), knows)
  const retriever = sections['retriever'] ?? {}
  const options = sections['options'] ?? {}
  const account = accountOf(retriever, options, sections, place)
  const remarks = otherSections(sections)
  return {
    accounts: [{ ...account, remarks: [...account.remarks, ...remarks] }],
    settings: present({
      log:
        options['message_log'] === undefined
          ? null
          : { file: oldPath(options['message_log'], new Doubts(), place.env) },
    }),
    remarks: [],
  }
}

/** Python's configparser gives each section the keys of [DEFAULT]. */
function knows(section: string, key: string): boolean {
  const words = section === 'retriever' ? retrieverWords : section === 'options' ? optionWords : destinationWords
  return words.translated.has(key) || words.harmless.has(key) || Object.hasOwn(words.reasons, key)
}

/** What is in neither of the two, nor in a destination. */
function otherSections(sections: Readonly<Record<string, Section>>): readonly string[] {
  const used = new Set(['DEFAULT', 'retriever', 'options', 'destination', ...destinationSections(sections)])
  const names = Object.keys(sections).filter((name) => !used.has(name))
  const shown = (list: readonly string[]): string =>
    `[${list
      .slice(0, 10)
      .map((name) => display(name, 40))
      .join('], [')}]`
  const filters = names.filter((name) => name.startsWith('filter'))
  const others = names.filter((name) => !name.startsWith('filter'))
  return [
    ...(filters.length === 0 ? [] : [`${shown(filters)}: popfetch has no filters: use a command as destination`]),
    ...(others.length === 0 ? [] : [`${shown(others)}: no destination names this section`]),
  ]
}

function accountOf(
  retriever: Section,
  options: Section,
  sections: Readonly<Record<string, Section>>,
  place: GetmailContext,
): ImportedAccount {
  const remarks: string[] = []
  const doubts = new Doubts()
  const isOn = (section: Section, name: string, otherwise: boolean): boolean =>
    doubts.switched(name, section[name]?.toLowerCase(), SWITCH, otherwise)
  const { type = '', server = '' } = retriever
  const usesNetrc = isOn(options, 'use_netrc', false) && options['netrc_file'] === undefined
  const username = (usesNetrc ? place.netrc.login(server) : null) ?? retriever['username'] ?? ''
  const isPop3 = type.includes('POP3') || type === 'MultidropSDPSRetriever'
  const tls = type.includes('SSL') ? 'implicit' : 'none'
  const port = Number(retriever['port'] ?? (tls === 'implicit' ? 995 : 110))
  const host = hostOf(server)
  if (!isPop3) remarks.push(`${display(type, 60) || 'no type'}: popfetch speaks POP3 only`)
  else if (tls === 'none' && !isLoopback(host))
    remarks.push('the password is sent unencrypted, as before: try tls: starttls, or no tls line at all')
  if (type.startsWith('BrokenUIDL'))
    remarks.push(`${type}: not needed, popfetch tells messages apart by their header where UIDLs cannot`)
  if (isOn(options, 'read_all', true))
    remarks.push('read_all: getmail fetched everything each time; popfetch fetches each message once')
  const { deliver: toldDestinations, remarks: told } = getmailDelivery(sections, doubts, {
    trace: isOn(options, 'received', true),
    localUser: place.localUser,
    env: place.env,
    isForMany: type.startsWith('Multidrop'),
  })
  const {
    recipient,
    deliver,
    remarks: toldOfRecipients,
  } = type.startsWith('Multidrop')
    ? sortedByRecipient(
        {
          header: envelopeField(retriever),
          domains: [],
          user: username,
          otherwise: place.localUser,
          usual: place.localUser,
        },
        toldDestinations,
      )
    : { recipient: null, deliver: toldDestinations, remarks: [] }
  remarks.push(...toldOfRecipients)
  const pathOf = (text: string | undefined): string | null =>
    text === undefined ? null : oldPath(text, doubts, place.env)
  if (options['delivered_to'] !== undefined && isOn(options, 'delivered_to', true)) {
    remarks.push('delivered_to: no Delivered-To field is added; label: true adds X-Popfetch-Account')
  }
  remarks.push(...told, ...remarksOn(said(retriever), retrieverWords), ...remarksOn(said(options), optionWords))
  const isToken = isOn(retriever, 'use_xoauth2', false)
  const auth = isToken ? 'xoauth2' : isOn(retriever, 'use_apop', false) ? 'apop' : null
  if (isOn(options, 'mark_read', false))
    doubts.note('mark_read: getmail may have marked messages in place of deleting them')
  const limit = limitOf(doubts.count('max_messages_per_session', options['max_messages_per_session']))
  const maxSize = sizeText(doubts.count('max_message_size', options['max_message_size']))
  const timeoutSeconds = doubts.count('timeout', retriever['timeout'])
  const policy = deleteOf(options, isOn(options, 'delete', false), doubts, remarks)
  return {
    name: place.name === 'getmailrc' ? server : place.name.replace(/\.[A-Za-z]+$/, ''),
    host,
    port,
    user: username,
    secret: secretFrom(retriever, usesNetrc ? place.netrc.password(server, username) : null),
    secretKey: isToken ? 'token' : 'password',
    keys: present({
      tls: tls === 'implicit' ? null : tls,
      tlsName: tls === 'implicit' ? (retriever['ssl_cert_hostname'] ?? null) : null,
      ca: pathOf(retriever['ca_certs']),
      clientCert: pathOf(retriever['certfile']),
      clientKey: pathOf(retriever['keyfile']) ?? pathOf(retriever['certfile']),
      pin: pinOf(retriever['ssl_fingerprints'], remarks),
      auth,
      recipient,
      delete: doubts.deletion(policy),
      limit,
      maxSize,
      timeout: timeoutText(timeoutSeconds),
    }),
    deliver,
    warnings: doubts.warnings,
    remarks,
    off: !isPop3,
    seen: {
      file: `${place.directory}/${oldmailName(server, port, username)}`,
      listsOf: oldmail,
      keys: [''],
      spellings,
    },
  }
}

/** `envelope_recipient = FIELD:WHICH`; the first one is what `recipient` reads. Null: there is none, as with SDPS. */
function envelopeField({ envelope_recipient: written }: Section): string | null {
  const [, name, which] = /^\s*([^:\s]+)\s*:\s*(\d+)\s*$/.exec(written ?? '') ?? []
  return name === undefined ? null : which === '1' ? name : `${name}:${which}`
}

/** What a .netrc says goes before all else, as in getmail. */
function secretFrom(retriever: Section, fromNetrc: string | null): ImportedAccount['secret'] {
  if (fromNetrc !== null) return writtenSecret(fromNetrc)
  if (retriever['password'] !== undefined) return writtenSecret(retriever['password'])
  const run = parseStrings(retriever['password_command'] ?? '')
  return run.length > 0 ? { kind: 'command', run } : { kind: 'missing' }
}

/** `delete` goes before `delete_after`, as in getmail. */
function deleteOf(options: Section, isDelete: boolean, doubts: Doubts, remarks: string[]): string {
  const days = doubts.count('delete_after', options['delete_after'])
  if (isDelete) return 'after-delivery'
  if (days > LONGEST_AGE_DAYS) doubts.unknownWord('delete_after', options['delete_after'] ?? '')
  if (days === 0 || days > LONGEST_AGE_DAYS) return 'never'
  remarks.push(ageRemark('delete_after', 'getmail', `${days} days`))
  return `${days}d`
}

function pinOf(fingerprints: string | undefined, remarks: string[]): string | readonly string[] | null {
  const all = parseStrings(fingerprints ?? '').map((text) => text.replaceAll(':', '').toLowerCase())
  if (all.every((digits) => /^[0-9a-f]{64}$/.test(digits))) return pinKeys(all)
  remarks.push('ssl_fingerprints: pin takes SHA-256 fingerprints: `popfetch check --verbose` shows it')
  return null
}

/** Keys that switch something off say nothing. */
function said(section: Section): readonly string[] {
  return Object.keys(section).filter((key) => !SWITCH.off.includes(section[key]?.toLowerCase() ?? ''))
}

/** getmail replaces characters that some file systems do not allow. */
function oldmailName(server: string, port: number, user: string): string {
  return `oldmail-${server}-${port}-${user}`.replace(/[/\\:;<>|]+/g, '-')
}

/** `UIDL NUL TIME` a line, in seconds since 1970. One mailbox has the file for itself. */
function oldmail(text: string): SeenLists {
  const seen: SeenUidl[] = []
  for (const line of filledLines(text)) {
    const at = line.indexOf('\0')
    const uidl = at < 0 ? '' : line.slice(0, at).trim()
    if (uidl !== '') seen.push({ uidl, sinceMs: timeOf(line.slice(at + 1).trim()) })
  }
  return new Map([['', seen]])
}

/** getmail writes `-` for `/`. What makes UIDLs with slashes (base64) makes none with hyphens. */
function spellings(uidl: string): readonly string[] {
  return uidl.includes('-') ? [uidl, uidl.replaceAll('-', '/')] : [uidl]
}
