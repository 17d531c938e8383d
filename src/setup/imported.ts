// An old tool's configuration in popfetch's terms: the folders of the old tools give it, draft.ts writes it. Plain data; its
// values are those of popfetch's configuration file, and no schema has looked at them yet.
// One rule: a remark is a sentence for people and never holds a secret.
import { parseHost } from '../config/values/host.ts'
import type { Written } from '../config/values/written.ts'
import type { Netrc } from './netrc.ts'

/** A password that stood in the old file, or the place that the file names; `missing`: it has neither. */
export type ImportedSecret =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'command'; readonly run: string | readonly string[] }
  | { readonly kind: 'file'; readonly path: string }
  | { readonly kind: 'env' | 'credential' | 'keyring'; readonly name: string }
  /** The token of a sign-in by a client of `oauth:`. */
  | { readonly kind: 'oauth'; readonly client: string }
  | { readonly kind: 'missing' }

export interface SeenUidl {
  readonly uidl: string
  /** When the old tool saw it first; null: its record does not say. */
  readonly sinceMs: number | null
}

export type SeenLists = ReadonlyMap<string, readonly SeenUidl[]>

export interface SeenRecord {
  /** As the old tool names it, `~` and all. */
  readonly file: string
  /** The UIDLs in the text of the file (latin1), by the mailbox they belong to. Many accounts may share a file: it is read once. */
  readonly listsOf: (text: string) => SeenLists
  /** The names that this mailbox may have there. */
  readonly keys: readonly string[]
  /** The UIDLs that the server may use for one as the old tool wrote it, that one among them. */
  readonly spellings: (uidl: string) => readonly string[]
}

/** Adds a UIDL to the list of its mailbox. */
export function listed(lists: Map<string, SeenUidl[]>, key: string, seen: SeenUidl): void {
  const list = lists.get(key)
  if (list === undefined) lists.set(key, [seen])
  else list.push(seen)
}

/** Seconds since 1970, as old tools write them; null: that is no time. */
export function timeOf(text: string): number | null {
  return /^\d{9,11}$/.test(text) ? Number(text) * 1000 : null
}

/** What an old tool's record has for a mailbox. */
export function uidlsOf({ keys }: SeenRecord, lists: SeenLists): readonly SeenUidl[] {
  const found = [...new Set(keys)].map((key) => lists.get(key) ?? []).filter((list) => list.length > 0)
  // Not a copy: many accounts may name one mailbox.
  return found.length === 1 ? (found[0] ?? []) : found.flat()
}

export const asWritten: SeenRecord['spellings'] = (uidl) => [uidl]

export interface ImportedAccount {
  /** The name that is wished for: draft.ts makes it one that is allowed and that no other account has. */
  readonly name: string
  readonly host: string
  readonly port: number
  readonly user: string
  readonly secret: ImportedSecret
  /** The key that the secret is under. */
  readonly secretKey: 'password' | 'token'
  /** The other keys of the account, but for `deliver`. */
  readonly keys: Written
  /** Destinations, each as it would be written in place. */
  readonly deliver: readonly Written[]
  /** What could not be read with certainty (doubts.ts): told at once, and written as a comment. */
  readonly warnings: readonly string[]
  /** Settings that have no counterpart, or mean something else here. */
  readonly remarks: readonly string[]
  /** What the old tool's record calls the server, where it is not the host. */
  readonly oldHosts?: readonly string[]
  /** The old tool did not poll it by itself, or popfetch cannot: it is written as a comment. */
  readonly off: boolean
  readonly seen: SeenRecord | null
}

export interface Imported {
  readonly accounts: readonly ImportedAccount[]
  /** Keys of the top level. */
  readonly settings: Written
  readonly remarks: readonly string[]
}

/** What the old tools know beside their own files. */
export interface ImportContext {
  /** The name of the user who owns the files: fetchmail delivers to it. */
  readonly localUser: string
  readonly netrc: Netrc
  /** The environment of whoever imports: most likely the old tool's as well. Only what the old file names is read. */
  readonly env: Readonly<Record<string, string | undefined>>
}

/** Text from an old file as a secret; `missing` when it is null, or is nothing that a password can be. */
export function writtenSecret(text: string | null): ImportedSecret {
  // eslint-disable-next-line no-control-regex
  return text === null || text === '' || /[\r\n\0]/.test(text) ? { kind: 'missing' } : { kind: 'text', text }
}

/** The old tool's host as popfetch writes it; what is no host stays as it is, and the check of the new file names it. */
export function hostOf(text: string): string {
  return parseHost(text) ?? text
}

/** A size in bytes as `maxSize` takes it, rounded up; null: 0, which meant no limit. */
export function sizeText(sizeBytes: number): string | null {
  return sizeBytes > 0 ? `${Math.ceil(sizeBytes / 1000)}KB` : null
}

/** In seconds, a day at most, as `timeout` takes it; null: 0, which meant the usual one, or none. */
export function timeoutText(seconds: number): string | null {
  return seconds > 0 ? `${Math.min(seconds, 86_400)}s` : null
}

/** Messages in one session; null: 0, or so many that it does not limit anything. */
export function limitOf(count: number): number | null {
  return count > 0 && count <= 1_000_000_000 ? count : null
}

/** Of a retention that becomes an age: it covers what the old tool fetched only where a person says so. */
export function ageRemark(what: string, tool: string, age: string): string {
  return `${what}: ${age} after a message was seen first; what ${tool} had fetched is deleted only after import --take-over`
}

/** Without the keys that are null. */
export function present(keys: Written): Written {
  return Object.fromEntries(Object.entries(keys).filter(([, value]) => value !== null))
}
