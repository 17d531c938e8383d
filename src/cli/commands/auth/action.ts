// `popfetch auth`: a person signs in at a provider for accounts and destinations, sees who is signed in, or signs out. What to do is
// printed on standard error; answers are on standard output.
import { signedInBy } from '../../../config/oauth/signed-in.ts'
import { signInsOf } from '../../../config/oauth/sign-ins.ts'
import type { Configuration } from '../../../config/schema.ts'
import { display } from '../../../display.ts'
import { asPopfetchError, PopfetchError } from '../../../errors.ts'
import type { KeptSignIns } from '../../../oauth/sign-ins.ts'
import { reportError } from '../../../poll/report.ts'
import { unknownAccount, refusal } from '../../command-errors.ts'
import { EXIT_OK, exitCodeOfReports } from '../../../status/exit.ts'
import { askRunning } from '../../open/ask-daemon.ts'
import { type Ask, signInAtProvider, terminalAsk } from '../../open/provider-sign-in.ts'
import { readConfiguration, tellWarnings } from '../../open/configured.ts'
import { signingIn } from '../../open/sign-ins.ts'
import { listedSignIns, type Wanted, wantedBy } from '../../../status/sign-ins.ts'
import { listedJson, listLines } from '../../../status/sign-in-lines.ts'
import type { Surroundings } from '../../surroundings.ts'
import type { AuthInvocation } from './options.ts'

export async function run(invocation: AuthInvocation, surroundings: Surroundings): Promise<number> {
  return await authorize(invocation, surroundings, terminalAsk(surroundings))
}

/** Resolves to 0 when all that was asked for is done. To 77 when the provider or the person refused, to 75 when time ran out. */
export async function authorize(invocation: AuthInvocation, surroundings: Surroundings, ask: Ask): Promise<number> {
  const configuration = await readConfiguration(invocation, surroundings)
  const signIns = signInsOf(configuration, surroundings.env)
  const work = { configuration, signIns, surroundings, invocation }
  switch (invocation.does) {
    case 'list':
      return await list(work)
    case 'token':
      return await printToken(invocation.name, work)
    case 'sign-out':
      return await signOut(invocation.name, work)
    case 'sign-in':
      tellWarnings(configuration.warnings, invocation, surroundings)
      return await signIn(invocation, work, ask)
  }
}

interface Work {
  readonly configuration: Configuration
  readonly signIns: KeptSignIns
  readonly surroundings: Surroundings
  readonly invocation: AuthInvocation
}

/** Those of a name, or of its destinations; throws ERR_USAGE when the name is unknown, or signs in otherwise. */
function named(name: string, configuration: Configuration): readonly Wanted[] {
  const all = wantedBy(configuration)
  const meant = new Set(signingIn(name, configuration))
  const found = all.filter(({ accounts, destinations }) => [...accounts, ...destinations].some((one) => meant.has(one)))
  if (found.length > 0) return found
  const known = [...configuration.accounts.map((one) => one.name), ...configuration.destinations.keys()]
  if (known.includes(name)) throw refusal(`${name} does not sign in with OAuth: it has no token: { oauth: CLIENT }`)
  throw unknownAccount(
    name,
    all.flatMap(({ accounts, destinations }) => [...accounts, ...destinations]),
    { what: 'those that sign in with OAuth are' },
  )
}

async function list({ configuration, surroundings, invocation }: Work): Promise<number> {
  const listed = await listedSignIns(configuration, surroundings.env)
  if (invocation.json) surroundings.output.object({ ok: true, signIns: listed.map(listedJson) })
  else if (listed.length === 0)
    surroundings.output.prose('nothing signs in with OAuth: no account has token: { oauth: CLIENT }')
  else for (const line of listLines(listed)) surroundings.output.prose(line)
  return EXIT_OK
}

async function printToken(name: string, { configuration, signIns, surroundings }: Work): Promise<number> {
  named(name, configuration)
  const meant = signingIn(name, configuration)
  const [user, other] = signedInBy(configuration).filter((one) => meant.includes(one.name))
  if (user === undefined) throw refusal(`${name} does not sign in with OAuth`)
  if (other !== undefined)
    throw refusal(`${name} has several destinations that sign in with OAuth: choose one of ${meant.join(', ')}`)
  const { token } = await signIns.tokenFor({ ...user, refused: null, signal: surroundings.signal })
  surroundings.output.secret(token)
  return EXIT_OK
}

async function signOut(name: string, { configuration, signIns, surroundings, invocation }: Work): Promise<number> {
  const { output, signal } = surroundings
  let code = EXIT_OK
  for (const { client, user, accounts, destinations } of named(name, configuration)) {
    const shared = [...accounts, ...destinations]
    const who = `${display(user)} via ${client}`
    const forgotten = await signIns.forget(client, user)
    if (forgotten === null) {
      if (!invocation.json) output.say(`nobody was signed in for ${who}`)
      continue
    }
    const token = forgotten.record?.refreshToken ?? forgotten.record?.accessToken ?? null
    try {
      const provider = token === null ? null : await signIns.provider(client, signal)
      const isRevoked = token !== null && provider !== null && (await provider.revoke(token, signal))
      const why = token === null ? 'there was no token to revoke' : 'this provider cannot revoke it'
      const there = isRevoked
        ? 'and ended at the provider'
        : `here; ${why}: if necessary, remove it on the provider's page`
      if (!invocation.json) output.say(`the sign-in of ${who} is forgotten ${there} (${shared.join(', ')})`)
    } catch (error) {
      if (error instanceof PopfetchError && error.code === 'ERR_ABORTED') throw error
      const why = error instanceof PopfetchError ? error.message : 'it refused'
      output.problem(
        `the sign-in of ${who} is forgotten here, but the provider could not be told (${why}): remove it on the provider's page`,
      )
      code = 75
    }
  }
  if (invocation.json) output.object({ ok: code === EXIT_OK, signIns: [] })
  return code
}

type SignInInvocation = Extract<AuthInvocation, { does: 'sign-in' }>

async function signIn(invocation: SignInInvocation, work: Work, ask: Ask): Promise<number> {
  const { configuration, signIns, surroundings } = work
  const { output } = surroundings
  const isAll = invocation.names.length === 0
  const asked = isAll
    ? wantedBy(configuration)
    : [...new Set(invocation.names.flatMap((name) => named(name, configuration)))]
  if (asked.length === 0)
    throw refusal('nothing signs in with OAuth: no account or destination has token: { oauth: CLIENT }')
  const due: Wanted[] = []
  for (const one of asked) {
    const state = isAll ? await signIns.state(one.client, one.user).catch(() => null) : null
    const isOwn = needsNobody(one, configuration)
    // Client credentials are asked for by themselves, unless they were refused.
    if (state === null || (state.state === 'none' && !isOwn) || state.state === 'ended') due.push(one)
  }
  if (due.length === 0 && isAll && !invocation.quiet) output.say('everything is signed in: see popfetch auth --list')
  const failures: PopfetchError[] = []
  const done: Wanted[] = []
  for (const one of due) {
    try {
      const { flow, opens, timeoutMs, quiet } = invocation
      const serves = [...one.accounts, ...one.destinations]
      if (needsNobody(one, configuration)) {
        await askAgain(one, work)
        if (!quiet)
          output.say(`${one.client} signs in by itself (client-credentials), and works (${serves.join(', ')})`)
        done.push(one)
        continue
      }
      await signInAtProvider({ ...one, serves, signIns, flow, opens, timeoutMs, quiet }, surroundings, ask)
      done.push(one)
    } catch (error) {
      const failure = asPopfetchError(error)
      if (surroundings.signal.aborted || failure.code === 'ERR_ABORTED') throw failure
      failures.push(failure)
      output.problem(failure.message)
    }
  }
  await wake(
    done.flatMap(({ accounts }) => accounts),
    work,
  )
  const code = exitCodeOfReports(failures.map((error) => ({ outcome: 'failed', error: reportError(error) })))
  if (invocation.json)
    output.object({ ok: code === EXIT_OK, signIns: done.map(({ client, user }) => ({ client, user })) })
  return code
}

function needsNobody({ client }: Wanted, { oauth }: Configuration): boolean {
  return oauth.get(client)?.flow === 'client-credentials'
}

/** Of client credentials that were refused nobody else makes another request. */
async function askAgain({ client, user }: Wanted, { configuration, signIns, surroundings }: Work): Promise<void> {
  const [first] = signedInBy(configuration).filter((one) => one.client === client && one.user === user)
  const use = first?.use ?? 'pop'
  await signIns.again({ client, user, use, refused: null, signal: surroundings.signal })
}

/** A daemon polls now what waited for this. Without one, or one that does not answer, the next poll does. */
async function wake(accounts: readonly string[], { configuration, surroundings }: Work): Promise<void> {
  if (accounts.length === 0) return
  const request = { verb: 'wake', accounts, eager: true, wait: false, mark: null } as const
  await askRunning(configuration.statePath, request, surroundings).catch(() => null)
}
