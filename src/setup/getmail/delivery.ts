// Where getmail put mail, as destinations: [destination], and the sections that a MultiDestination names. Pure.
import type { Written } from '../../config/values/written.ts'
import { display } from '../../display.ts'
import { hostOf, present } from '../imported.ts'
import { parseStrings, pathOf, type Section } from '../ini.ts'
import { remarksOn } from '../words.ts'
import { destinationWords } from './words.ts'

/** A destination may name itself, directly or by way of others, and each of them many times. */
const DEPTH_LIMIT = 5
const MOST_SECTIONS = 100

type Sections = Readonly<Record<string, Section>>

export interface GetmailDelivery {
  readonly deliver: readonly Written[]
  readonly remarks: readonly string[]
}

interface Context {
  readonly sections: Sections
  readonly localUser: string
  readonly remarks: string[]
  /** How many sections were looked at. */
  count: number
}

/** `trace`: getmail put a Received field on top. */
export function getmailDelivery(
  sections: Sections,
  { trace, localUser }: { readonly trace: boolean; readonly localUser: string },
): GetmailDelivery {
  const remarks: string[] = []
  const found = fromSection('destination', { sections, localUser, remarks, count: 0 }, 0)
  return { deliver: trace ? found : found.map((target) => ({ ...target, trace: false })), remarks }
}

/** The sections that a destination may name, in whatever way. */
export function destinationSections(sections: Sections): readonly string[] {
  const values = Object.values(sections).flatMap(({ destinations, default: usual, locals }) => [
    destinations,
    usual,
    locals,
  ])
  return values.flatMap((value) => [...(value ?? '').matchAll(/\[([^\][]*)\]/g)].map(([, name = '']) => name))
}

/** `unixfrom = false` says nothing. */
function said(section: Section): readonly string[] {
  return Object.keys(section).filter((key) => !/^(?:0|false|no|off)$/i.test(section[key] ?? ''))
}

function fromSection(name: string, context: Context, depth: number): readonly Written[] {
  const { sections, remarks } = context
  const section = sections[name]
  context.count += 1
  if (context.count > MOST_SECTIONS) {
    if (context.count === MOST_SECTIONS + 1)
      remarks.push('the destinations name one another too often: correct deliver')
    return []
  }
  if (section === undefined || depth > DEPTH_LIMIT) {
    remarks.push(`[${display(name, 60)}]: no such section in the old file`)
    return []
  }
  remarks.push(...remarksOn(said(section), destinationWords))
  const { type = '', path = '' } = section
  switch (type) {
    case 'Maildir':
      return [present({ ...maildir(path), mode: section['filemode'] ?? null })]
    case 'Mboxrd':
      return [{ type: 'mbox', path: pathOf(path) }]
    case 'MDA_external':
      return [external(pathOf(path), parseStrings(section['arguments'] ?? ''), remarks)]
    case 'MDA_lmtp':
      return [lmtp(section, context)]
    case 'MultiDestination':
      return parseStrings(section['destinations'] ?? '')
        .slice(0, MOST_SECTIONS)
        .flatMap((each) => fromText(each, context, depth + 1))
    case 'MultiSorter':
    case 'MultiGuesser':
      remarks.push(
        `${type}: popfetch does not sort by recipients (route sorts by what the header says): all mail goes to the default`,
      )
      return fromText(section['default'] ?? '', context, depth + 1)
    default:
      remarks.push(`${display(type, 60)}: there is no such destination: name another in deliver`)
      return []
  }
}

/** As in `destinations`: `[section]`, a Maildir when it ends in a slash, else an mbox. */
function fromText(text: string, context: Context, depth: number): readonly Written[] {
  const name = /^\[(.*)\]$/.exec(text.trim())?.[1]
  if (name !== undefined) return fromSection(name, context, depth)
  return [text.endsWith('/') ? maildir(text) : { type: 'mbox', path: pathOf(text) }]
}

function maildir(path: string): Written {
  return { type: 'maildir', path: pathOf(path).replace(/(?<=[^/])\/+$/, '') }
}

function lmtp({ host = '', port = '2003', override }: Section, { localUser, remarks }: Context): Written {
  if (override === undefined) remarks.push(`MDA_lmtp: all mail is for ${display(localUser, 60)} now: correct to`)
  const to = override ?? localUser
  return host.startsWith('/')
    ? { type: 'lmtp', socket: host, to }
    : { type: 'lmtp', host: hostOf(host), port: Number(port), to }
}

/** Words of the envelope become variables in quotes, so that no shell runs what they say. */
function external(program: string, args: readonly string[], remarks: string[]): Written {
  if (!args.some((arg) => arg.includes('%('))) return { type: 'command', run: [program, ...args] }
  if (args.some((arg) => /%\((?:recipient|local|domain)\)/.test(arg))) {
    remarks.push(
      '%(recipient), %(local), %(domain): $RECIPIENT is the address of the mailbox, whoever the message was for',
    )
  }
  const words = [program, ...args].map((word) =>
    `'${word.replaceAll("'", `'\\''`)}'`
      .replaceAll('%(sender)', `'"$SENDER"'`)
      .replaceAll('%(recipient)', `'"$RECIPIENT"'`)
      .replaceAll('%(local)', `'"\${RECIPIENT%@*}"'`)
      .replaceAll('%(domain)', `'"\${RECIPIENT##*@}"'`),
  )
  return { type: 'command', run: ['/bin/sh', '-c', `exec ${words.join(' ')}`] }
}
