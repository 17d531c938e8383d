// A word to the background process: `stop`, `reload`, `wake`, and what `status` and a plain `popfetch` ask of it. Of the
// configuration the three need only the place of the ledger; the rest may be broken (DESIGN 5).
import { askDaemon } from '../../daemon/control/client.ts'
import { configurationMark, socketPath, type Answers, type Requests, type Verb } from '../../daemon/control/protocol.ts'
import type { Configuration } from '../../config/schema.ts'
import { PopfetchError } from '../../errors.ts'
import type { AccountReport } from '../../poll/report.ts'
import { EXIT_OK } from '../exit.ts'
import type { SpeakInvocation } from '../command.ts'
import { outlineOf } from './read-ledger.ts'
import { counted } from '../terminal/summary.ts'
import type { Surroundings } from '../surroundings.ts'

/** Resolves to the exit code 0, or rejects: ERR_NO_DAEMON when there is none (but for `stop`), ERR_CONFIG from `reload`. */
export async function speakCommand(invocation: SpeakInvocation, surroundings: Surroundings): Promise<number> {
  const { output, person } = surroundings
  const { statePath } = await outlineOf(invocation, surroundings)
  const answer = (text: string, facts: object): void => {
    if (invocation.json) output.object({ ok: true, accounts: [], ...facts })
    else if (person && !invocation.quiet) output.say(text)
  }
  switch (invocation.command) {
    case 'stop': {
      const stopped = await askRunning(statePath, { verb: 'stop' }, surroundings)
      answer(stopped === null ? 'no background process was running' : `stopped (process ${stopped.pid})`, {
        stopped: stopped?.pid ?? null,
      })
      return EXIT_OK
    }
    case 'reload': {
      const { changes } = required(await askRunning(statePath, { verb: 'reload' }, surroundings))
      answer(changes.length === 0 ? 'reloaded: nothing changed' : `reloaded:\n${changes.join('\n')}`, { changes })
      return EXIT_OK
    }
    case 'wake': {
      const request = { verb: 'wake', accounts: invocation.accounts, eager: true, wait: false, mark: null } as const
      const { accounts } = required(await askRunning(statePath, request, surroundings))
      answer(`polling ${counted(accounts.length, 'account')} now`, { woken: accounts })
      return EXIT_OK
    }
  }
}

/** Lets the background process poll these accounts, if one runs under the same configuration, and waits for the outcome.
 *  Null: it was not done so (there is none, it does not answer, it ended); then it is to be done here, under the leases. */
export async function pollByRunning(
  { file, statePath }: Configuration,
  accounts: readonly string[],
  eager: boolean,
  surroundings: Surroundings,
): Promise<readonly AccountReport[] | null> {
  try {
    const mark = await configurationMark(file)
    const answer = await askRunning(statePath, { verb: 'wake', accounts, eager, wait: true, mark }, surroundings)
    return answer?.reports ?? null
  } catch (error) {
    if (surroundings.signal.aborted) throw error
    return null
  }
}

/** The answer of the background process of this ledger; null: there is none. */
export async function askRunning<V extends Verb>(
  statePath: string,
  request: Requests[V] & { readonly verb: V },
  { env, signal }: Surroundings,
): Promise<Answers[V] | null> {
  return await askDaemon<V>(await socketPath(statePath, env), request, signal)
}

function required<T>(answer: T | null): T {
  if (answer !== null) return answer
  throw new PopfetchError(
    'ERR_NO_DAEMON',
    'no background process runs on this ledger: start it with popfetch --daemon',
    {
      scope: 'process',
      retry: 'never',
    },
  )
}
