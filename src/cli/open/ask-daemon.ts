// Speaks to the daemon of a ledger. The configuration only has to tell the path of the ledger; the rest of it
// may be broken (DESIGN 5).
import { lstat } from 'node:fs/promises'
import { askDaemon } from '../../daemon/control/client.ts'
import { socketPath, type Answers, type Requests, type Verb } from '../../daemon/control/protocol.ts'
import { display } from '../../display.ts'
import { PopfetchError } from '../../errors.ts'
import { ourUid } from '../../own-file.ts'
import type { CommonOptions } from '../common-options.ts'
import type { Surroundings } from '../surroundings.ts'

/** The answer of the daemon of this ledger; null: none runs. */
export async function askRunning<V extends Verb>(
  statePath: string,
  request: Requests[V] & { readonly verb: V },
  { env, signal }: Surroundings,
): Promise<Answers[V] | null> {
  return await askDaemon<V>(await socketPath(statePath, env), request, signal)
}

/** What is in the place of the daemon's socket and is not ours, in words; null: nothing is. It is never asked. */
export async function strangerInPlace(statePath: string, { env }: Pick<Surroundings, 'env'>): Promise<string | null> {
  const file = await socketPath(statePath, env)
  const uid = ourUid()
  const stats = await lstat(file).catch(() => null)
  if (stats === null || uid === null || (stats.isSocket() && stats.uid === uid)) return null
  const what = stats.isSocket() ? `a socket of another user (uid ${stats.uid})` : 'not a socket'
  return `${display(file)}, where the daemon would listen, is ${what}: it is not asked; popfetch --daemon makes its own there`
}

/** The same, where a process must run. Rejects with ERR_NO_DAEMON when none does. */
export async function askRequired<V extends Verb>(
  statePath: string,
  request: Requests[V] & { readonly verb: V },
  surroundings: Surroundings,
): Promise<Answers[V]> {
  const answer = await askRunning<V>(statePath, request, surroundings)
  if (answer !== null) return answer
  throw noDaemon()
}

export function noDaemon(): PopfetchError {
  const message = 'no daemon is running on this ledger: start one with popfetch --daemon'
  return new PopfetchError('ERR_NO_DAEMON', message, { scope: 'process', retry: 'never' })
}

/** Tells what the daemon did: `facts` with `--json`; otherwise `text`, if a person sits at a terminal. */
export function acknowledge(
  text: string,
  facts: object,
  { json, quiet }: CommonOptions,
  { output, person }: Surroundings,
): void {
  if (json) output.object({ ok: true, accounts: [], ...facts })
  else if (person && !quiet) output.say(text)
}
