// A person signs in at a provider, at a terminal. The lines to follow, the browser, the address that may be pasted, the time that it may
// take. Resolves when the sign-in is kept. The flows themselves are in oauth/.
import { display } from '../../display.ts'
import { PopfetchError } from '../../errors.ts'
import type { KeptSignIns } from '../../oauth/sign-ins.ts'
import { abortedByPerson } from '../command-errors.ts'
import type { Surroundings } from '../surroundings.ts'
import { type Dialogue, terminalDialogue } from '../terminal/dialogue.ts'
import { browserOf } from './browser.ts'

export const USUAL_SIGN_IN_MS = 600_000

/** Who pastes an address; null: nobody can. */
export type Ask = (signal: AbortSignal) => Dialogue | null

export function terminalAsk({ terminal, env }: Pick<Surroundings, 'terminal' | 'env'>): Ask {
  return (signal) => terminalDialogue({ terminal, signal, env })
}

export interface SignInAtProvider {
  readonly client: string
  readonly user: string
  /** The accounts and destinations that it serves. */
  readonly serves: readonly string[]
  readonly signIns: KeptSignIns
  /** Null: as configured. */
  readonly flow: 'device' | 'browser' | null
  readonly opens: boolean
  readonly timeoutMs: number
  readonly quiet: boolean
}

/** Rejects with ERR_AUTH when the provider or the person refused, with ERR_TIMEOUT when time ran out, with ERR_ABORTED. */
export async function signInAtProvider(wanted: SignInAtProvider, surroundings: Surroundings, ask: Ask): Promise<void> {
  const { client, user, serves, signIns, timeoutMs } = wanted
  const { output, signal } = surroundings
  const ended = new AbortController()
  const late = setTimeout(() => ended.abort(timeOver(timeoutMs)), timeoutMs)
  const together = AbortSignal.any([signal, ended.signal])
  const person = {
    show: (line: string) => output.say(line),
    openBrowser: wanted.opens ? browserOf(surroundings) : null,
    paste: ask(together) === null ? null : (over: AbortSignal) => pasted(ask(over), over, ended),
    signal: together,
  }
  try {
    // Nobody is asked for what could not be kept.
    await signIns.prepare(client, user)
    const provider = await signIns.provider(client, together)
    const { flowOf } = await import('../../oauth/flows/flow.ts')
    const flow = flowOf(provider.client, provider, wanted.flow)
    const { signInByDevice } = await import('../../oauth/flows/device.ts')
    const { signInByBrowser } = await import('../../oauth/flows/browser.ts')
    const granted = await (flow === 'device' ? signInByDevice : signInByBrowser)({ provider, user, person })
    await signIns.keep(client, user, provider, granted)
    const shared = serves.join(', ')
    if (!wanted.quiet) output.say(`signed in: ${display(user)} via ${client} (${shared})`)
    if (granted.person !== null && granted.person.toLowerCase() !== user.toLowerCase()) {
      output.problem(
        `warning: ${display(granted.person)} has signed in, and ${shared} signs in to the mail server as ${display(user)}: right for a shared mailbox, else popfetch auth --sign-out ${serves[0] ?? ''} and sign in again`,
      )
    }
  } finally {
    clearTimeout(late)
    ended.abort()
  }
}

/** A line that the person pastes. Ctrl-C ends all of it. */
async function pasted(dialogue: Dialogue | null, over: AbortSignal, ended: AbortController): Promise<string> {
  if (dialogue === null) throw abortedByPerson('no terminal')
  try {
    return await dialogue.ask({ text: 'address', usual: null, problem: () => null })
  } catch (error) {
    if (!over.aborted) ended.abort(abortedByPerson('the sign-in was aborted'))
    throw error
  }
}

function timeOver(timeoutMs: number): PopfetchError {
  const text = `nobody signed in within ${Math.round(timeoutMs / 1000)} s: start again, or wait longer with --timeout`
  return new PopfetchError('ERR_TIMEOUT', text, { scope: 'account', retry: 'soon' })
}
