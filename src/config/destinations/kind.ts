// The contract of a kind of destination: all that popfetch knows of it outside its own folder under deliver/. The kinds are
// listed in destinations.ts; nobody else asks for a `type`.
// A new kind is four things. A folder deliver/KIND/ fulfils deliver/destination.ts. A line of the table in deliver/index.ts
// opens it. A file beside this one says `export const KIND = kind({ … })`. A line of the table in destinations.ts names it.
// The documentation in examples/ and the JSON Schema follow from the texts given to `describe`.
import type * as z from 'zod'
import type { DestinationSettings } from '../../deliver/index.ts'
import * as value from '../values/values.ts'
import type { ResolvePath } from '../values/values.ts'
import type { Conflict, Frozen, Written } from '../values/written.ts'

/** Keys that every kind has: its schema ends with them. */
export const common = {
  trace: value.flag.default(true).describe('Puts a Received field on top of each message'),
  label: value.flag.default(false).describe('Adds X-Popfetch-Account: NAME'),
}

/** A URL read into the keys that could have been written instead. Whether they are right is left to the schema. */
export type ParsedUrl =
  | { readonly kind: 'written'; readonly written: Written }
  /** The words after "expected". */
  | { readonly kind: 'wrong'; readonly expected: string }

export interface UrlForms {
  /** What stands before the first colon; no other kind has the same. */
  readonly schemes: readonly string[]
  /** Each form once, as error texts list them: `maildir:PATH`. */
  readonly forms: readonly string[]
  /** The keys, `type` among them, that `scheme:rest` means. `forms` is what to expect of a text that is none: the forms of
   *  all kinds. A password in a URL is wrong, and no error repeats one. */
  read(scheme: string, rest: string, forms: string): ParsedUrl
}

/** What there is to know when a destination is opened. */
export interface Opening {
  /** The account whose mail goes there. */
  readonly account: string
  readonly env: Readonly<Record<string, string | undefined>>
}

/** `Keys` is what the schema makes of the keys: no key is absent, no default is left to anybody else. */
export interface Kind<Keys> {
  /** What no key can say alone. Asked whether or not each key is right by itself, so that one report names everything. */
  conflicts(written: Written): readonly Conflict[]

  /** How such a destination is written as a URL; null: it cannot be. */
  readonly url: UrlForms | null

  /** The name of one that was written in place: the URL that means it, however it was written. Two that deliver to different
   *  places never share one. No secret is in it, nor a program's arguments, which may hold one. */
  canonicalUrl(keys: Keys): string

  /** What `config show` prints: the keys of the file, all of them, null for those that are not set. No secret is in it. */
  show(keys: Keys): Written

  /** The texts in which `{account}` may stand. One destination is opened for each account that changes them. */
  accountTexts(keys: Keys): readonly string[]

  /** Whether one of these texts is still what it must be once the name of an account stands in it. */
  accepts(text: string): boolean

  /** How many recipients each message has there, each with a delivery of its own; 1 for a kind without recipients. */
  recipients(keys: Keys): number

  /** The host to which everything goes unencrypted over a network, for a warning; null: nothing does. */
  unencryptedTo(keys: Keys): string | null

  /** Whether `census` of its Destination tells what stands there: then a first poll brings nothing twice, and starts without
   *  ERR_FIRST_POLL. */
  readonly showsWhatItHas: boolean

  /** What a written configuration calls the first of this kind. */
  readonly usualName: string

  /** What deliver/ is given to open it for one account: `{account}` filled in, certificates read, secrets as functions that
   *  are called just before each sign-in. Rejects with ERR_CONFIG when a file that it needs cannot be read. */
  settings(
    config: Keys & { readonly name: string },
    opening: Opening,
  ): DestinationSettings | Promise<DestinationSettings>
}

/** A kind as its file defines it: the contract, and the schema that says what `Keys` are. `schema` is a mapping with `type`
 *  (a literal), the keys of the kind, each with its `describe`, and those of `common`. It may be transformed. */
export function kind<Schema extends z.core.$ZodTypeDiscriminable>(
  definition: { readonly schema: (resolve: ResolvePath) => Schema } & Kind<Frozen<z.output<Schema>>>,
) {
  return definition
}

/** What holds for a kind that has no recipients, no server and no conflicts between its keys: to begin with. */
export const plain = {
  conflicts: (): readonly Conflict[] => [],
  url: null,
  accountTexts: (): readonly string[] => [],
  accepts: (): boolean => true,
  recipients: (): number => 1,
  unencryptedTo: (): null => null,
  showsWhatItHas: false,
}
