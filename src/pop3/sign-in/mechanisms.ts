// The table of mechanisms by which a session may sign in, and the choice between them. Pure.
//
// To add a mechanism, write it in the file of its family or in a new one (mechanism.ts is the contract), and add it to the
// table below. Test its exchange in test/pop3/sign-in/; test/support/sasl-server.ts has the server's side. Nothing else: the
// configuration takes the words of `auth` from here; `auto`, refusals and imports of other programs' settings follow.
import { display } from '../../display.ts'
import { PopfetchError } from '../../errors.ts'
import type { Capabilities } from '../wire/capabilities.ts'
import { apop, cramMd5 } from './md5.ts'
import type { Credentials, Mechanism, Secret } from './mechanism.ts'
import { oauthbearer, xoauth2 } from './oauth.ts'
import { login, plain, userAndPass } from './plain.ts'
import { scramSha1, scramSha256 } from './scram.ts'

/** In the order in which people are shown them. */
const mechanisms = [scramSha256, scramSha1, plain, login, userAndPass, cramMd5, apop, xoauth2, oauthbearer] as const

export type MechanismName = (typeof mechanisms)[number]['name']
export type MechanismChoice = MechanismName | 'auto'

/** The words of `auth` for an account with a password. */
export const PASSWORD_MECHANISMS = namesFor('password')
/** The words of `auth` for an account with a token. */
export const TOKEN_MECHANISMS = namesFor('token')

function namesFor(secret: Secret): readonly MechanismName[] {
  return mechanisms.filter((mechanism) => mechanism.secret === secret).map(({ name }) => name)
}

/** Null for `auto`, and for a word that is not in the table. */
export function mechanismNamed(word: string): Mechanism | null {
  return mechanisms.find(({ name }) => name === word) ?? null
}

/** The mechanism to sign in with. `auto` takes the best that the server lists; commands need no listing. One that was asked for
 *  by name is also tried when the server lists none at all: the answer to AUTH decides (P038, incomplete lists).
 *  Throws ERR_MECHANISM when the server lists only others: nothing weaker is tried in its place (P070, not offered). */
export function chooseMechanism(choice: MechanismChoice, { sasl }: Capabilities, credentials: Credentials): Mechanism {
  const candidates =
    choice === 'auto'
      ? byRank('token' in credentials ? 'token' : 'password')
      : mechanisms.filter(({ name }) => name === choice)
  const offered = candidates.find(({ kind, name }) => kind === 'commands' || sasl.has(name.toUpperCase()))
  if (offered !== undefined) return offered
  const [first] = candidates
  if (first !== undefined && sasl.size === 0) return first
  throw notOffered(first?.name ?? choice, sasl)
}

function byRank(secret: Secret): readonly Mechanism[] {
  const ranked = mechanisms.filter((mechanism) => mechanism.secret === secret && mechanism.rank !== null)
  return ranked.sort((a, b) => (b.rank ?? 0) - (a.rank ?? 0))
}

function notOffered(name: string, sasl: ReadonlySet<string>): PopfetchError {
  return new PopfetchError(
    'ERR_MECHANISM',
    `the server does not offer the sign-in mechanism ${name}; it offers ${display([...sasl].join(', '))}: change auth`,
    { scope: 'account', retry: 'never' },
  )
}
