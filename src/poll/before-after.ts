// The programs `before` and `after` of an account. The first provides what the connection needs, such as a tunnel. The second
// runs once the poll is over. The one rule: where `before` fails, the server is not asked, and `after` is not run, because
// there is nothing to end.
import { commandName } from '../config/values/secret.ts'
import type { Account } from '../config/schema.ts'
import { displayLastLine } from '../display.ts'
import { asPopfetchError, errnoOf, PopfetchError } from '../errors.ts'
import type { AccountReport } from './report.ts'
import type { Run } from './run/run.ts'
import type { Tally } from './tally.ts'

const WORDS_BYTES = 1000

type Surroundings = Pick<Run, 'env' | 'signal' | 'log'>

/** Runs `before`, then `work`, then `after`. Where `before` fails, the tally says so. Rejects as `work` does. */
export async function surrounded(
  { account, run, tally }: { readonly account: Account; readonly run: Surroundings; readonly tally: Tally },
  work: () => Promise<void>,
): Promise<void> {
  try {
    await runBefore(account, run)
  } catch (error) {
    tally.fail(asPopfetchError(error))
    return
  }
  try {
    await work()
  } finally {
    const failure = await runAfter(account, run, tally.report())
    if (failure !== null) tally.note(failure)
  }
}

/** Rejects with ERR_CONFIG when the program is not there, with ERR_CONNECT when it fails, with ERR_ABORTED. */
export async function runBefore(account: Account, run: Surroundings): Promise<void> {
  if (account.before === null) return
  const what = `before, the program ${commandName(account.before)}`
  const { accountEnvironment } = await import('./sign-in/account-environment.ts')
  const failure = await failureOf(account.before, accountEnvironment(account, run.env), account.timeoutMs, run.signal)
  if (failure === null) return
  const { code, text } = failure
  const [retry, next] =
    code === 'ERR_CONFIG' ? (['never', 'install it, or correct before'] as const) : (['soon', 'not polled'] as const)
  throw new PopfetchError(code, `${what} ${text}: ${next}`, { scope: 'account', retry })
}

/** Gives why it failed, in words; null: it did not. What was polled stays polled. */
export async function runAfter(
  account: Account,
  run: Surroundings,
  report: Pick<AccountReport, 'outcome' | 'delivered' | 'deferred' | 'refused' | 'held' | 'deleted' | 'error'>,
): Promise<string | null> {
  if (account.after === null) return null
  const facts = {
    POPFETCH_OUTCOME: report.outcome,
    POPFETCH_DELIVERED: String(report.delivered),
    POPFETCH_DEFERRED: String(report.deferred),
    POPFETCH_REFUSED: String(report.refused),
    POPFETCH_HELD: String(report.held),
    POPFETCH_DELETED: String(report.deleted),
    POPFETCH_ERROR: report.error?.code ?? '',
  }
  const { accountEnvironment } = await import('./sign-in/account-environment.ts')
  const env = { ...accountEnvironment(account, run.env), ...facts }
  // It also tidies up where a signal ended the poll.
  const failure = await failureOf(account.after, env, account.timeoutMs, new AbortController().signal)
  if (failure === null) return null
  const text = `after, the program ${commandName(account.after)} ${failure.text}`
  run.log.warn('after failed', { account: account.name, reason: text })
  return text
}

interface Failure {
  readonly code: 'ERR_CONFIG' | 'ERR_CONNECT' | 'ERR_ABORTED'
  readonly text: string
}

async function failureOf(
  command: readonly string[],
  env: Readonly<Record<string, string>>,
  limitMs: number,
  signal: AbortSignal,
): Promise<Failure | null> {
  const { NO_INPUT, NO_OUTPUT, runProgram } = await import('../program.ts')
  const stderr = { keep: 'last', limitBytes: WORDS_BYTES } as const
  try {
    const limits = { stdin: NO_INPUT, stdout: NO_OUTPUT, stderr, limitMs, signal }
    const ending = await runProgram({ command, env, cwd: '/', ...limits })
    if (ending.ended === 'abort') return { code: 'ERR_ABORTED', text: 'was interrupted' }
    if (ending.ended !== null) return { code: 'ERR_CONNECT', text: `did not end within ${limitMs / 1000} s` }
    if (ending.code === 0) return null
    const said = displayLastLine(ending.stderr)
    const how = ending.signal === null ? `exited with ${ending.code}` : `was ended by ${ending.signal}`
    return { code: 'ERR_CONNECT', text: `${how}${said === '' ? '' : ` and said "${said}"`}` }
  } catch (error) {
    const errno = errnoOf(error) ?? 'unknown reason'
    const isMissing = ['ENOENT', 'EACCES', 'ENOTDIR'].includes(errno)
    return { code: isMissing ? 'ERR_CONFIG' : 'ERR_CONNECT', text: `cannot be started (${errno})` }
  }
}
