// Where getmail put mail, as destinations: [destination], and the sections that a MultiDestination names. Pure.
import type { Written } from '../../config/values/written.ts'
import { display } from '../../display.ts'
import { shellQuoted } from '../../program.ts'
import { hostOf, present } from '../imported.ts'
import { expanded, type OldEnvironment, programLine } from '../delivery-command.ts'
import type { Doubts } from '../doubts.ts'
import { parseStrings, type Section } from '../ini.ts'
import { oldPath } from '../old-path.ts'
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
  readonly env: OldEnvironment
  /** Each message has a recipient of its own. */
  readonly isForMany: boolean
  readonly doubts: Doubts
  readonly remarks: string[]
  /** How many sections were looked at. */
  count: number
}

/** `trace`: getmail put a Received field on top. */
export function getmailDelivery(
  sections: Sections,
  doubts: Doubts,
  { trace, ...place }: Pick<Context, 'localUser' | 'env' | 'isForMany'> & { readonly trace: boolean },
): GetmailDelivery {
  const remarks: string[] = []
  const found = fromSection('destination', { sections, ...place, doubts, remarks, count: 0 }, 0)
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
      return [present({ ...maildir(path, context), mode: section['filemode'] ?? null })]
    case 'Mboxrd':
      return [{ type: 'mbox', path: placeOf(path, context) }]
    case 'MDA_external':
      return [external(path, parseStrings(section['arguments'] ?? ''), context)]
    case 'MDA_lmtp':
      return [lmtp(section, context)]
    case 'MultiDestination':
      return parseStrings(section['destinations'] ?? '')
        .slice(0, MOST_SECTIONS)
        .flatMap((each) => fromText(each, context, depth + 1))
    case 'MultiSorter':
    case 'MultiGuesser':
      remarks.push(
        `${type}: all mail goes to the default; route sorts by header, such as { when: { header: { X-Envelope-To: '*bob@*' } }, deliver: bob }`,
      )
      return fromText(section['default'] ?? '', context, depth + 1)
    default:
      remarks.push(`${display(type, 60)}: popfetch has no such destination: write another in deliver`)
      return []
  }
}

/** As in `destinations`: `[section]`, a Maildir when it ends in a slash, else an mbox. */
function fromText(text: string, context: Context, depth: number): readonly Written[] {
  const name = /^\[(.*)\]$/.exec(text.trim())?.[1]
  if (name !== undefined) return fromSection(name, context, depth)
  return [text.endsWith('/') ? maildir(text, context) : { type: 'mbox', path: placeOf(text, context) }]
}

function placeOf(path: string, { doubts, env }: Context): string {
  return oldPath(path, doubts, env)
}

function maildir(path: string, context: Context): Written {
  return { type: 'maildir', path: placeOf(path, context).replace(/(?<=[^/])\/+$/, '') }
}

function lmtp({ host = '', port = '2003', override }: Section, { localUser, isForMany, remarks }: Context): Written {
  if (override === undefined && !isForMany)
    remarks.push(`MDA_lmtp: all mail is for ${display(localUser, 60)} now: correct to`)
  const to = override ?? localUser
  return host.startsWith('/')
    ? { type: 'lmtp', socket: host, to }
    : { type: 'lmtp', host: hostOf(host), port: Number(port), to }
}

/** Words of the envelope become variables in quotes, so that no shell runs what they say. `~` and `$NAME` are what they were for
 *  getmail, which gave no line to a shell (M007). */
function external(program: string, args: readonly string[], { env, remarks }: Context): Written {
  const [path = '', ...words] = [program, ...args].map((word) => expanded(word, env['HOME'] ?? null, env, remarks))
  if (!words.some((word) => word.includes('%('))) return moved([path, ...words], env, remarks)
  if (words.some((word) => /%\((?:recipient|local|domain)\)/.test(word))) {
    remarks.push(
      '%(recipient), %(local), %(domain): $RECIPIENT is the address of the mailbox, whoever the message was for',
    )
  }
  const line = [path, ...words].map((word) =>
    shellQuoted(word)
      .replaceAll('%(sender)', `'"$SENDER"'`)
      .replaceAll('%(recipient)', `'"$RECIPIENT"'`)
      .replaceAll('%(local)', `'"\${RECIPIENT%@*}"'`)
      .replaceAll('%(domain)', `'"\${RECIPIENT##*@}"'`),
  )
  return moved(['/bin/sh', '-c', `exec ${line.join(' ')}`], env, remarks)
}

function moved(run: readonly string[], env: OldEnvironment, remarks: string[]): Written {
  const { destination, remarks: told } = programLine(run, env)
  remarks.push(...told)
  return destination
}
