// `popfetch log`: what the daemon has logged, in lines for people. It needs of the configuration only where the
// log is, speaks to no process, and works while one writes.
import { setTimeout as wait } from 'node:timers/promises'
import { resolvePath, usualLogFile } from '../../../config/paths.ts'
import { display } from '../../../display.ts'
import { PopfetchError } from '../../../errors.ts'
import type { LogLevel } from '../../../log.ts'
import { obstacleOf } from '../../../own-file.ts'
import { LEVELS, STANDARD_ERROR } from '../../common-options.ts'
import { configurationError, unknownAccount, usageError } from '../../command-errors.ts'
import { EXIT_OK } from '../../../status/exit.ts'
import { outlineOf } from '../../open/read-ledger.ts'
import type { Surroundings } from '../../surroundings.ts'
import { readEntry, type LogEntry } from './entry.ts'
import type { LogInvocation } from './options.ts'
import { FollowedLog, linesBackwards, openRegular } from './read-log.ts'

/** How often a log that is followed is looked at. */
const LOOK_MS = 250
/** What may wait to be printed oldest first: more is shown from where it fits, and that is said. */
const MOST_LINES = 100_000

/** Rejects with ERR_NO_DAEMON (69) where there is no log, ERR_CONFIG or ERR_USAGE. */
export async function run(invocation: LogInvocation, surroundings: Surroundings): Promise<number> {
  const { output } = surroundings
  const outline = await outlineOf(invocation, surroundings)
  const unknown = invocation.accounts.find((name) => outline.accounts?.includes(name) === false)
  if (unknown !== undefined) throw unknownAccount(unknown, outline.accounts ?? [])
  const path = placeOf(invocation, outline, surroundings)
  const print = (entry: LogEntry): void => {
    if (invocation.json) output.object(entry.object)
    else output.prose(entry.text, toneOf(entry.level))
  }
  output.allowColours(surroundings.env)
  const file = await opened(path)
  const { size } = await file.stat()
  await using log = new FollowedLog(path, file, size)
  const shown: LogEntry[] = []
  const wanted = wantedBy(invocation, surroundings.nowMs())
  if (await gather(linesBackwards(file, size), wanted, shown)) {
    await using before = await openRegular(`${path}.1`)
    if (before !== null) await gather(linesBackwards(before, (await before.stat()).size), wanted, shown)
  }
  if (shown.length === MOST_LINES)
    output.problem(`only the newest ${MOST_LINES} lines are shown: choose a shorter time with --since`)
  for (const entry of shown.toReversed()) {
    surroundings.signal.throwIfAborted()
    print(entry)
    if (!(await output.caughtUp())) return EXIT_OK
  }
  if (invocation.follow) await follow(log, wanted, print, surroundings)
  return surroundings.interruption() ?? EXIT_OK
}

/** What is wanted of the lines. */
interface Wanted {
  readonly most: number
  readonly fromMs: number
  /** Is it about what was asked for? */
  readonly fits: (entry: LogEntry) => boolean
}

function wantedBy({ accounts, logLevel, since, lines }: LogInvocation, nowMs: number): Wanted {
  const least = logLevel === null ? 0 : LEVELS.indexOf(logLevel)
  const names = new Set(accounts)
  return {
    most: Math.min(lines ?? MOST_LINES, MOST_LINES),
    fromMs: since === null ? -Infinity : 'atMs' in since ? since.atMs : nowMs - since.spanMs,
    fits: ({ level, account }) =>
      (level === null ? least === 0 : LEVELS.indexOf(level) >= least) &&
      (names.size === 0 || (account !== null && names.has(account))),
  }
}

/** The newest first into `shown`. True: an older file may have more. */
async function gather(
  lines: AsyncIterable<string>,
  { most, fromMs, fits }: Wanted,
  shown: LogEntry[],
): Promise<boolean> {
  for await (const line of lines) {
    if (shown.length >= most) return false
    const entry = readEntry(line)
    // Lines stand in the order of time but for a clock that was set back: a line without a time goes with its neighbours.
    if (entry.atMs !== null && entry.atMs < fromMs) return false
    if (fits(entry)) shown.push(entry)
  }
  return shown.length < most
}

async function follow(
  log: FollowedLog,
  { fits }: Wanted,
  print: (entry: LogEntry) => void,
  { output, signal }: Surroundings,
): Promise<void> {
  while (!signal.aborted) {
    for (const line of await log.more()) {
      const entry = readEntry(line)
      if (fits(entry)) print(entry)
    }
    if (!(await output.caughtUp())) return
    await wait(LOOK_MS, null, { signal }).catch(() => {})
  }
}

/** The file of `--log-file`, else that of the configuration, else the usual one. */
function placeOf(
  { logFile }: LogInvocation,
  { configuration, statePath }: Awaited<ReturnType<typeof outlineOf>>,
  { cwd, env }: Surroundings,
): string {
  if (logFile === STANDARD_ERROR) throw usageError('--log-file - is not a file to read: give one')
  if (logFile !== null) return resolvePath(logFile, cwd, env)
  return configuration?.log.file ?? usualLogFile({ statePath })
}

async function opened(path: string) {
  const shown = display(path, 200)
  const file = await openRegular(path).catch((error: unknown) => {
    throw configurationError(`cannot read the log ${shown} (${obstacleOf(error)})`, error)
  })
  if (file !== null) return file
  const text = `there is no log ${shown}: popfetch --daemon writes one; other polls write one only with log.file or --log-file`
  throw new PopfetchError('ERR_NO_DAEMON', text, { scope: 'process', retry: 'never' })
}

function toneOf(level: LogLevel | null) {
  return level === 'error' ? 'bad' : level === 'warn' ? 'doubtful' : 'plain'
}
