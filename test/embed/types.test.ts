// The public types say the same as the schema that checks the values: each key, whether it is needed, and what it may hold. The compiler
// is the test; a key that is only here or only there is named in its error.
import { expect, test } from 'vitest'
import type * as z from 'zod'
import type { account } from '../../src/config/schema.ts'
import type { destination } from '../../src/config/destinations/schemas/destination.ts'
import type { oauthClient } from '../../src/config/oauth/client.ts'
import type { AccountInput, OAuthInput, RecipientInput, RouteInput } from '../../src/embed/accounts.ts'
import type { SecretInput, TokenInput } from '../../src/embed/secrets.ts'
import type { DeliverInput, DestinationInput } from '../../src/embed/destinations.ts'
import type { SecretFunction } from '../../src/config/values/secret.ts'

type InFile<Schema extends (...given: never[]) => z.ZodType> = z.input<ReturnType<Schema>>

/** What a schema takes, read-only, and without `undefined` for what may be left out. A source of a function stands for the function. */
type Plain<T> = T extends SecretFunction
  ? Extract<SecretInput, (...given: never[]) => unknown>
  : T extends readonly [infer First, ...infer Rest]
    ? readonly [Plain<First>, ...{ readonly [At in keyof Rest]: Plain<Rest[At]> }]
    : T extends readonly (infer Item)[]
      ? readonly Plain<Item>[]
      : T extends object
        ? { readonly [Key in keyof T]: Plain<Exclude<T[Key], undefined>> }
        : T

type Same<A, B> = [A] extends [B] ? ([B] extends [A] ? true : { readonly lacks: B }) : { readonly lacks: A }
type Needed<T> = { [Key in keyof T]-?: object extends Pick<T, Key> ? never : Key }[keyof T]

/** True when both have the same keys, need the same, and hold the same; else what differs. */
type Agree<Written, Schema> = [
  Exclude<keyof Written, keyof Schema> | Exclude<keyof Schema, keyof Written>,
  Same<Needed<Written>, Needed<Schema>>,
  Same<Required<Written>, Required<Plain<Schema>>>,
] extends [never, true, true]
  ? true
  : {
      readonly keys: Exclude<keyof Written, keyof Schema> | Exclude<keyof Schema, keyof Written>
      readonly needed: Same<Needed<Written>, Needed<Schema>>
      readonly values: Required<Plain<Schema>>
    }

type OfType<T extends string, Kinds> = Extract<Kinds, { readonly type: T }>
type Written = InFile<typeof account>
type Places = InFile<typeof destination>
type Kind = DestinationInput['type']

const accounts: Agree<Omit<AccountInput, Structured>, Omit<Written, Structured>> = true
type Structured = 'deliver' | 'route' | 'recipient'
const structured: Same<Structured & keyof AccountInput, Structured & keyof Written> = true
const oauth: Agree<Omit<OAuthInput, 'provider'>, Omit<InFile<typeof oauthClient>, 'provider'>> = true
const kinds: Same<Kind, Places['type']> = true
const destinations: { readonly [K in Kind]: Agree<OfType<K, DestinationInput>, OfType<K, Places>> } = {
  maildir: true,
  mbox: true,
  smtp: true,
  lmtp: true,
  imap: true,
  gmail: true,
  command: true,
}
type Rule = NonNullable<Written['route']>[number]
const rules: Same<Required<RouteInput['when']>, Required<Plain<Rule['when']>>> = true
type ByHeader = Exclude<NonNullable<Written['recipient']>, string>
const recipients: Same<RecipientInput, Plain<ByHeader>> = true
const deliver: Plain<Written['deliver']> extends DeliverInput ? true : false = true
const tokens: Same<Exclude<TokenInput, SecretInput>, { readonly oauth: string }> = true

test('what a program may write is what the schema takes', () => {
  const all = { accounts, structured, oauth, kinds, ...destinations, rules, recipients, deliver, tokens }
  expect(Object.values(all).every((agree) => agree)).toBe(true)
})
