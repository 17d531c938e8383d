// `popfetch shell ACCOUNT`: POP3 by hand on a session that is signed in as the account is configured. It holds the account's
// lease, so that no poll gets between, and records nothing.
import { constants } from 'node:os'
import { PopfetchError } from '../../../errors.ts'
import { signInWithoutPoll } from '../../../poll/sign-in/without-poll.ts'
import { Workarounds } from '../../../poll/sign-in/workarounds.ts'
import { accountBusy, usageError } from '../../command-errors.ts'
import { EXIT_OK, EXIT_SIGNAL } from '../../../status/exit.ts'
import { openRun } from '../../open/configured.ts'
import type { Surroundings } from '../../surroundings.ts'
import { typedLines } from '../../terminal/dialogue.ts'
import { converse } from './conversation.ts'
import { ReaderGone } from './shown-answer.ts'
import type { ShellInvocation } from './options.ts'

/** Where the height of the screen is not known. */
const USUAL_ROWS = 24

/** Rejects with ERR_BUSY while the account is polled, and with what ended the session. */
export async function run(invocation: ShellInvocation, surroundings: Surroundings): Promise<number> {
  if (invocation.json) throw usageError('shell is interactive: it has no --json')
  const { output, env, terminal } = surroundings
  const { account: name, write, raw } = invocation
  await using opened = await openRun({ ...invocation, accounts: [name] }, surroundings)
  const [account] = opened.accounts
  if (account === undefined) throw usageError(`there is no account ${name}`)
  await using lease = await opened.ledger.lease(name)
  if (lease === null) throw accountBusy(`opening ${name}`)
  const signal = AbortSignal.any([surroundings.signal, lease.lost])
  const { configuration, log } = opened
  const workarounds = new Workarounds(lease.record?.facts ?? {}, surroundings.nowMs())
  const say = (text: string): void => {
    if (terminal !== null && !invocation.quiet) output.say(text)
  }
  await using session = await signInWithoutPoll(
    account,
    { configuration, env, log, signal, workarounds },
    {
      opened: ({ greeting }) => say(`+OK ${greeting}`),
      note: say,
    },
  )
  await session.learnCapabilities()
  say(
    `signed in to ${account.host} as ${account.user}; ${write ? 'DELE and QUIT delete' : 'nothing is deleted'}; HELP lists the commands`,
  )
  const most = raw ? Infinity : Math.max(1, (terminal?.rows ?? USUAL_ROWS) - 2)
  try {
    await converse(session, {
      lines: typedLines(`${name}> `, { terminal, signal }),
      print: (line) => output.answer(line),
      caughtUp: () => output.caughtUp(),
      write,
      most,
    })
  } catch (error) {
    // As with any program before `head`: what was marked stays.
    if (error instanceof ReaderGone) return EXIT_OK
    // Ctrl-C, or a signal: the session ends without QUIT, and nothing was deleted.
    if (!(error instanceof PopfetchError) || error.code !== 'ERR_ABORTED' || lease.lost.aborted) throw error
    return surroundings.interruption() ?? EXIT_SIGNAL + constants.signals.SIGINT
  }
  return EXIT_OK
}
