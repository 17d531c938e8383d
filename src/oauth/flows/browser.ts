// The browser flow: authorization code with PKCE, back to this machine (RFC 8252). Where the browser is on another machine, the address
// to which it was sent may be pasted instead, or comes through an ssh tunnel.
import { hostname, userInfo } from 'node:os'
import { display } from '../../display.ts'
import { PopfetchError } from '../../errors.ts'
import { SIGN_IN_PROVIDERS } from '../../sign-in-providers.ts'
import type { Granted } from '../granted.ts'
import { type Authorization, WrongAnswer } from '../provider.ts'
import { lasting, signInError, type SigningIn } from './flow.ts'
import { type Came, listen } from './loopback.ts'

/** This many answers that belong to no sign-in are looked at. */
const MOST_WRONG = 20

/** Resolves when the browser, or the pasted address, brought the answer. Rejects as signInByDevice does. */
export async function signInByBrowser(signingIn: SigningIn): Promise<Granted> {
  try {
    return lasting(await byBrowser(signingIn), signingIn)
  } catch (error) {
    throw signInError(error, signingIn)
  }
}

async function byBrowser({ provider, user, person }: SigningIn): Promise<Granted> {
  const { client } = provider
  const host = client.provider === null ? '127.0.0.1' : (SIGN_IN_PROVIDERS[client.provider]?.loopback ?? '127.0.0.1')
  const { promise, resolve, reject } = Promise.withResolvers<Granted>()
  // Nobody may be waiting yet when it is over.
  promise.catch(() => {})
  const ended = new AbortController()
  let authorization: Authorization | null = null
  let isTaken = false
  let wrong = 0
  /** Gives what is wrong with it; null: it was the answer, and `promise` is settled. */
  const take = async (parameters: URLSearchParams): Promise<string | null> => {
    if (authorization === null || isTaken) return 'this sign-in has ended already'
    isTaken = true
    try {
      resolve(await authorization.finish(parameters, person.signal))
      return null
    } catch (error) {
      if (!(error instanceof WrongAnswer)) {
        reject(error)
        throw error
      }
      isTaken = false
      wrong++
      if (wrong >= MOST_WRONG) reject(tooMany())
      return error.message
    }
  }
  const came = ({ parameters, answer }: Came): void => {
    take(parameters).then(
      (fault) =>
        fault === null
          ? answer(true, 'popfetch has what it needs. You can close this window.')
          : answer(
              false,
              'This answer does not belong to the sign-in that popfetch waits for. Start it again from its address.',
            ),
      () => answer(false, 'The provider did not sign you in. The window where you started popfetch says why.'),
    )
  }
  await using loopback = await listen(client.redirectPort, '/', came)
  const redirectUri = `http://${host}:${loopback.port}/`
  authorization = await provider.authorization(redirectUri, user)
  const onAbort = (): void => reject(person.signal.reason)
  person.signal.addEventListener('abort', onAbort, { once: true })
  try {
    person.signal.throwIfAborted()
    tell({ provider, user, person }, authorization.address, loopback.port)
    void pasted({ person, redirectUri, take, signal: AbortSignal.any([ended.signal, person.signal]) })
    return await promise
  } finally {
    ended.abort()
    person.signal.removeEventListener('abort', onAbort)
  }
}

function tell({ provider, user, person }: SigningIn, address: string, port: number): void {
  const opens = person.openBrowser !== null
  const where = opens ? 'a browser opens; if none does, open this address' : 'open this address in a browser'
  person.show(`to sign in ${display(user)} at ${provider.name}, ${where}:`)
  // A line of its own, whole, so that it can be copied and clicked. It is ours, and holds no secret but for a moment.
  person.show(address)
  if (!opens) {
    person.show('if the browser is on another machine, first run there:')
    person.show(`ssh -N -L ${port}:127.0.0.1:${port} ${display(userName())}@${display(hostname())}`)
  }
  if (person.paste !== null)
    person.show('or paste here the address to which the browser was sent in the end, even if it shows an error:')
  person.openBrowser?.(address)
}

interface Pasting {
  readonly person: SigningIn['person']
  readonly redirectUri: string
  readonly take: (parameters: URLSearchParams) => Promise<string | null>
  readonly signal: AbortSignal
}

/** Takes pasted lines until one is the answer. Never rejects. */
async function pasted({ person, redirectUri, take, signal }: Pasting): Promise<void> {
  if (person.paste === null) return
  try {
    while (!signal.aborted) {
      const line = (await person.paste(signal)).trim()
      if (line === '') continue
      const at = URL.canParse(line) ? new URL(line) : null
      const isOurs = at !== null && at.host === new URL(redirectUri).host
      const fault = isOurs
        ? await take(at.searchParams)
        : `it is not the address of this sign-in, which begins with ${redirectUri}`
      if (fault === null) return
      person.show(`that does not work: ${fault}`)
    }
  } catch {
    // Over: whoever waits has been told.
  }
}

function tooMany(): PopfetchError {
  const text = 'too many answers came that belong to no sign-in: something on this machine sends them: start again'
  return new PopfetchError('ERR_AUTH', text, { scope: 'account', retry: 'never' })
}

function userName(): string {
  try {
    return userInfo().username
  } catch {
    return 'USER'
  }
}
