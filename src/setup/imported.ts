// What an old tool's configuration says, in our words: what import-fetchmail.ts, import-getmail.ts and import-mpop.ts give,
// and what draft.ts writes. Plain data; values are those of our configuration file, not looked at by its schema yet.
// The one rule: a remark is a sentence for people and never holds a secret.
import { parseHost } from '../config/values/host.ts'
import type { Written } from '../config/values/written.ts'

/** A password that stood in the old file, or where that said it is to be had; missing: it did not say. */
export type ImportedSecret =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'command'; readonly run: string | readonly string[] }
  | { readonly kind: 'file'; readonly path: string }
  | { readonly kind: 'env'; readonly name: string }
  | { readonly kind: 'missing' }

export interface SeenRecord {
  /** As the old tool names it, `~` and all. */
  readonly file: string
  /** The UIDLs that the text of the file (latin1) has for the account. */
  readonly uidlsOf: (text: string) => readonly string[]
  /** What the server may have called it, where the old tool wrote it otherwise; itself among them. */
  readonly spellings: (uidl: string) => readonly string[]
}

export const asWritten: SeenRecord['spellings'] = (uidl) => [uidl]

export interface ImportedAccount {
  /** A wish: draft.ts makes it a name that is allowed and that no other account has. */
  readonly name: string
  readonly host: string
  readonly port: number
  readonly user: string
  readonly secret: ImportedSecret
  /** The key that the secret stands under. */
  readonly secretKey: 'password' | 'token'
  /** The other keys of the account, but for `deliver`. */
  readonly keys: Written
  /** Destinations, each as it would be written in place. */
  readonly deliver: readonly Written[]
  /** What has no counterpart, or means something else. */
  readonly remarks: readonly string[]
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

/** Where the old tools look besides their own files. */
export interface Around {
  /** Name of the user whose files these are: fetchmail delivers to it. */
  readonly localUser: string
  /** The password that a `.netrc` has for a login at a host; null: none. */
  readonly netrc: (host: string, login: string) => string | null
}

/** Text from an old file, as a secret; null and what no password can be are missing. */
export function secretOf(text: string | null): ImportedSecret {
  // eslint-disable-next-line no-control-regex
  return text === null || text === '' || /[\r\n\0]/.test(text) ? { kind: 'missing' } : { kind: 'text', text }
}

/** The old tool's host in our form; what is no host stays as it is, for the check of the file to name it. */
export function hostOf(text: string): string {
  return parseHost(text) ?? text
}

/** A size in bytes as `maxSize` takes it, rounded up; null: too small to mean a limit. */
export function sizeText(sizeBytes: number): string | null {
  return sizeBytes > 0 ? `${Math.ceil(sizeBytes / 1000)}KB` : null
}

/** Without the keys that are null. */
export function present(keys: Written): Written {
  return Object.fromEntries(Object.entries(keys).filter(([, value]) => value !== null))
}
