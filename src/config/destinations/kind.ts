// The contract of a kind of destination: all that popfetch knows of it outside its own folder under deliver/.
// A new kind is four things:
// 1. a folder deliver/KIND/, whose `openKind(config, context)` gives what deliver/destination.ts wants;
// 2. a line in the table of deliver/index.ts, which loads that folder;
// 3. its keys in schemas/KIND.ts: a schema of a mapping of `type` (a literal), the keys of the kind and those of `common`, which may
//    be transformed. Each key has a `describe`, which the JSON Schema shows. A line in the table of schemas/destination.ts;
// 4. a file beside this one, `export const KIND: Kind<KindKeys> = { ...plain, … }`: maildir.ts is a short one to copy. A line in the
//    table of destinations.ts.
// The two are apart because a poll of a configuration that was checked before needs no schema, and does not load zod.
// Its tests: a line of examples in test/config/destinations/contract.test.ts, and the suite of every destination.
// Nobody else asks for a `type`: what a kind alone knows is a property here.
import type { DestinationSettings } from '../../deliver/index.ts'
import type { SignIns } from '../../oauth/oauth.ts'
import { useOf } from '../oauth/use.ts'
import type { Rate } from '../values/quantity.ts'
import { resolveSecret } from '../values/secret.ts'
import type { SecretSource, TokenSource } from '../values/secret.ts'
import type { Conflict, Written } from '../values/written.ts'

/** A URL as the keys that could have been written instead. The schema says whether they are right. */
export type ParsedUrl =
  | { readonly kind: 'written'; readonly written: Written }
  /** The words after "expected". */
  | { readonly kind: 'wrong'; readonly expected: string }

export interface UrlForms {
  /** The words before the first colon; no other kind has one of them. */
  readonly schemes: readonly string[]
  /** Each form once, as error texts list them: `maildir:PATH`. */
  readonly forms: readonly string[]
  /** The keys that `scheme:rest` means, with `type`. A text that has none of the forms is wrong, and `forms`, those of all
   *  kinds, were expected. A password in a URL is wrong, and no error repeats it. */
  read(scheme: string, rest: string, forms: string): ParsedUrl
}

/** What a kind is told when a destination is opened. */
export interface Opening {
  /** The account whose mail goes there. */
  readonly account: string
  /** The address that `{recipient}` stands for; null: each message has its own, or there is none. A kind without `to` is opened
   *  for each address; one with `to` fills it in for each message. */
  readonly mailbox: string | null
  readonly env: Readonly<Record<string, string | undefined>>
  /** Where the token of a sign-in is to be had. */
  readonly signIns: SignIns
}

/** Each source of a secret has a limit of its own, except a file on a network disk that does not answer. The longest is that of
 *  a token for which another process is asking. */
const SECRET_LIMIT_MS = 120_000

/** The secret of a destination as `settings` hands it on: read again each time it is called. `refused`: the one that the server has
 *  just refused; of a sign-in another one is asked for then. Rejects with ERR_SECRET, and with the errors of oauth/oauth.ts. */
export type SecretReader = (refused?: string) => Promise<string>

interface SecretKeys {
  readonly name: string
  readonly type: string
  readonly user: string | null
  readonly password: SecretSource | null
  readonly token: TokenSource | null
}

/** Null: the destination has no secret. */
export function secretReader(config: SecretKeys, { env, signIns }: Opening): SecretReader | null {
  const { name, type, user, password, token } = config
  const source = token ?? password
  if (source === null) return null
  const limit = (): AbortSignal => AbortSignal.timeout(SECRET_LIMIT_MS)
  if (source.kind === 'oauth') {
    const asked = { client: source.client, user: user ?? '', use: useOf(type) }
    return async (refused) => (await signIns.tokenFor({ ...asked, refused: refused ?? null, signal: limit() })).token
  }
  const what = `the ${token === null ? 'password' : 'token'} of destination ${name}`
  return () => resolveSecret(source, { env, signal: limit(), what })
}

/** `Keys`: what the schema makes of the written keys. None is absent, and nobody else knows a default. */
export interface Kind<Keys> {
  /** The keys that cannot be combined. Asked even if a key is wrong by itself, so that one report names everything. */
  conflicts(written: Written): readonly Conflict[]

  /** Its URLs; null: it has none. */
  readonly url: UrlForms | null

  /** The name of a destination that was written in place, and its name in the ledger: one URL, in whatever way it was written.
   *  No secret is in it, nor a program's arguments, which may hold one. Otherwise two that deliver to different places have
   *  different names. */
  canonicalUrl(keys: Keys): string

  /** What `config show` prints: every key as the file would have it, null for one that is not set. No secret is in it. */
  show(keys: Keys): Written

  /** The texts in which `{account}`, `{recipient}`, `{local}` and `{domain}` may stand (deliver/placeholders.ts). With
   *  `{account}` each account opens a destination of its own. */
  accountTexts(keys: Keys): readonly string[]

  /** Whether such a text is right, with an account and a mailbox filled in: an address must still be one. */
  accepts(text: string): boolean

  /** Its recipients as written, with a delivery for each; null: a kind without recipients. */
  recipients(keys: Keys): readonly string[] | null

  /** The host to which mail goes unencrypted over a network, for a warning; null: none. */
  unencryptedTo(keys: Keys): string | null

  /** Whether its `census` (deliver/destination.ts) tells what is there. Then a first poll brings nothing twice, and the
   *  guard ERR_FIRST_POLL lets it start. */
  showsWhatItHas(keys: Keys): boolean

  /** Whether only the machine that made an attempt can see there what became of it, where several share a ledger. */
  isLocal(keys: Keys): boolean

  /** Whether `migrate --delete` may go there: a message is read again there, or was taken with an id that it keeps. */
  provesDelivery(keys: Keys): boolean

  /** At most this many messages go to its place (deliver/index.ts, placeOf); null: as many as there are. Whatever leads to that
   *  place keeps to all rates that are written for it. */
  pace(keys: Keys): { readonly place: string; readonly rates: readonly Rate[] } | null

  /** What `init` and `import` call the first destination of this kind. */
  readonly usualName: string

  /** The settings with which deliver/ opens the destination for one account. What is in braces filled in, certificates read, a
   *  secret as a function that is called just before each sign-in. Rejects with ERR_CONFIG when a certificate cannot be read. */
  settings(
    config: Keys & { readonly name: string },
    opening: Opening,
  ): DestinationSettings | Promise<DestinationSettings>
}

/** What holds for a kind without URLs, recipients, a server and keys that conflict: where a kind begins. */
export const plain = {
  conflicts: (): readonly Conflict[] => [],
  url: null,
  accountTexts: (): readonly string[] => [],
  accepts: (): boolean => true,
  recipients: (): readonly string[] | null => null,
  unencryptedTo: (): null => null,
  showsWhatItHas: (): boolean => false,
  isLocal: (): boolean => false,
  provesDelivery: (): boolean => false,
  pace: (): null => null,
}
