// `popfetch migrate FROM TO`: moves a mailbox once, shows its progress, and ends with a verdict on standard output. The
// room migrate/ moves the mail; resolve.ts finds out from where to where, memo.ts and unfinished.ts which migration goes on,
// text.ts has the words.
import { closeSync, writeFileSync } from 'node:fs'
import { resolvePath } from '../../../config/paths.ts'
import type { MigrationReport } from '../../../migrate/report.ts'
import { obstacleOf, openOutput, ourUid } from '../../../own-file.ts'
import { exitCodeOfReports, EXIT_OK } from '../../../status/exit.ts'
import { commandOf, memoOf } from './memo.ts'
import type { MigrateInvocation } from './options.ts'
import { MigrationScreen } from './screen.ts'
import { openMigration } from './resolve.ts'
import { holdProgram } from '../../held-program.ts'
import { jsonLine } from '../../output.ts'
import type { Surroundings } from '../../surroundings.ts'
import { plannedLines, verdictJson, verdictLines, verdictOfAll } from './text.ts'
import { type Chosen, chooseUnfinished, listUnfinished } from './unfinished.ts'

/** Resolves to 0 only when every message is there. Rejects only before anything was moved. */
export async function run(invocation: MigrateInvocation, surroundings: Surroundings): Promise<number> {
  if (invocation.act === 'list') return await listUnfinished(invocation, surroundings)
  if (invocation.act === 'move') return await move(invocation, surroundings, null)
  const chosen = await chooseUnfinished(invocation, surroundings)
  return await move(chosen.invocation, { ...surroundings, cwd: chosen.cwd }, chosen)
}

async function move(invocation: MigrateInvocation, surroundings: Surroundings, chosen: Chosen | null): Promise<number> {
  holdProgram()
  const { output, env, signal, nowMs, cwd } = surroundings
  await using moving = await openMigration(invocation, surroundings, chosen)
  const { migrateAll } = await import('../../../migrate/migrate.ts')
  const reports = await MigrationScreen.during(invocation, surroundings, moving.log, (observer) =>
    migrateAll({
      ...moving,
      memo: memoOf(invocation, cwd),
      options: {
        delete: invocation.delete,
        limit: invocation.limit,
        sinceMs: invocation.since?.ms ?? null,
        maxBytesPerSecond: invocation.maxRate?.bytesPerSecond ?? null,
        keepTryingMs: invocation.keepTrying?.ms ?? null,
        yes: invocation.yes,
        dryRun: invocation.dryRun,
      },
      observer,
      env,
      signal,
      nowMs,
    }),
  )
  const code = surroundings.interruption() ?? exitCodeOf(reports)
  const object = { ok: code === EXIT_OK, accounts: reports.map((report) => verdictJson(report, invocation.dryRun)) }
  for (const { account, error, outcome } of reports) {
    moving.log.info('migrated', { account, outcome, error: error?.code ?? null })
  }
  if (invocation.json) output.object(object)
  else answer(reports, invocation, surroundings)
  if (invocation.report !== null) await write(invocation.report, object, surroundings)
  return code
}

function exitCodeOf(reports: readonly MigrationReport[]): number {
  return exitCodeOfReports(
    reports.map(({ outcome, error }) => {
      // Unlike a poll, a migration is asked for once: when it cannot be done now, that is a failure.
      if (outcome === 'busy' || outcome === 'interrupted') return { outcome: 'partial', error: null }
      return { outcome, error }
    }),
  )
}

function answer(reports: readonly MigrationReport[], invocation: MigrateInvocation, surroundings: Surroundings): void {
  const { output, env } = surroundings
  const home = env['HOME'] ?? null
  const again = commandOf(invocation)
  for (const report of reports) {
    const lines = invocation.dryRun ? plannedLines(report) : verdictLines(report, { home, again })
    output.prose(lines.join('\n'))
  }
  if (invocation.pair === null && !invocation.dryRun) output.prose(verdictOfAll(reports))
}

/** When the report cannot be written, that is told; it does not change the outcome. */
async function write(file: string, object: object, { cwd, env, output }: Surroundings): Promise<void> {
  const place = resolvePath(file, cwd, env)
  try {
    const fd = await openOutput(place, 'replace', { uid: ourUid(env) })
    try {
      writeFileSync(fd, jsonLine(object))
    } finally {
      closeSync(fd)
    }
  } catch (error) {
    output.problem(`cannot write the report ${place}: ${obstacleOf(error)}: use another file`)
  }
}
