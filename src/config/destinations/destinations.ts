// The table of the kinds of destination, and the questions that do not depend on a kind. What a kind has to answer, and how
// a new one is made, is kind.ts; how each delivers is in deliver/.
import { type Conflict, FIRST_OF, type Written } from '../values/written.ts'
import { command } from './command.ts'
import { gmail } from './gmail.ts'
import { imap } from './imap.ts'
import type { Kind, ParsedUrl } from './kind.ts'
import { lmtp } from './lmtp.ts'
import { maildir } from './maildir.ts'
import { mbox } from './mbox.ts'
import { own, type OwnKeys } from './own.ts'
import type { FileKeys } from './schemas/destination.ts'
import { smtp } from './smtp.ts'
import { cut, wrong } from './url.ts'

/** Those that a file may name, by the value of `type`, in the order in which error texts and the JSON Schema name them. */
const KINDS = {
  maildir,
  smtp,
  lmtp,
  imap,
  gmail,
  command,
  mbox,
}

/** The keys of a destination of any kind, as parsed: all of them, and no name yet. */
export type DestinationKeys = FileKeys | OwnKeys

/** `{ first-of: […] }` of a `deliver`, with the names of its members. It is no kind: it has no keys. */
export interface FirstOfConfig {
  readonly type: typeof FIRST_OF
  readonly name: string
  readonly of: readonly string[]
}

/** A destination of a configuration: its keys with all defaults, or a group of which the first that does not refuse takes a message. */
export type DestinationConfig = (DestinationKeys & { readonly name: string }) | FirstOfConfig

const ALL_KINDS: { readonly [T in DestinationKeys['type']]: Kind<DestinationKeys> } = { ...KINDS, own }
const BY_TYPE: Readonly<Record<string, Kind<DestinationKeys>>> = KINDS
const ALL = Object.values(BY_TYPE)

/** The kind of a destination, which answers for it. */
export function kindOf({ type }: DestinationKeys): Kind<DestinationKeys> {
  return ALL_KINDS[type]
}

/** The kind of a destination as it was written; null: there is none of that `type`. */
export function kindWritten({ type }: Written): Kind<DestinationKeys> | null {
  return typeof type === 'string' && Object.hasOwn(BY_TYPE, type) ? (BY_TYPE[type] ?? null) : null
}

/** The keys that cannot be combined. Asked even if a key is wrong by itself, so that one report names everything. */
export function destinationConflicts(written: Written): readonly Conflict[] {
  return kindWritten(written)?.conflicts(written) ?? []
}

/** Whether the destination of this name tells what is there. A group does where all of it do; one that is not configured
 *  does not. */
export function showsWhatItHas(name: string, destinations: ReadonlyMap<string, DestinationConfig>): boolean {
  const config = destinations.get(name)
  if (config === undefined) return false
  if (config.type === FIRST_OF) return config.of.every((member) => showsWhatItHas(member, destinations))
  return kindOf(config).showsWhatItHas(config)
}

/** Whether only the machine that made an attempt can see there what became of it: of a group, at any of its members. One that is not
 *  configured has no place. */
export function isLocal(name: string, destinations: ReadonlyMap<string, DestinationConfig>): boolean {
  const config = destinations.get(name)
  if (config === undefined) return false
  if (config.type === FIRST_OF) return config.of.some((member) => isLocal(member, destinations))
  return kindOf(config).isLocal(config)
}

/** Whether a message that was moved there may be deleted. */
export function provesDelivery(config: DestinationConfig | undefined): boolean {
  return config !== undefined && config.type !== FIRST_OF && kindOf(config).provesDelivery(config)
}

/** The keys of the destination that a URL means. */
export function parseDestinationUrl(text: string): ParsedUrl {
  const [scheme, rest] = cut(text, ':')
  const url = ALL.find((kind) => kind.url?.schemes.includes(scheme))?.url
  return url ? url.read(scheme, rest, URL_FORMS) : wrong(URL_FORMS)
}

const URL_FORMS = formsOf(ALL)

/** `A, B or C`; forms that are a path come first. */
function formsOf(kinds: readonly Kind<DestinationKeys>[]): string {
  const forms = kinds.flatMap(({ url }) => url?.forms ?? [])
  const isPath = (form: string): boolean => form.endsWith(':PATH')
  const ordered = [...forms.filter(isPath), ...forms.filter((form) => !isPath(form))]
  return `${ordered.slice(0, -1).join(', ')} or ${ordered.at(-1)}`
}
