// `popfetch import fetchmail|getmail|mpop [FILE]`: takes over an old tool's configuration and its record of seen messages.
// What the old files mean is migrate/import-*.ts; where they are, old-files.ts.
// The one rule: the record is in the ledger before there is a configuration that popfetch could poll with.
import { dirname } from 'node:path'
import { assemble } from '../../../config/assemble.ts'
import { parseText } from '../../../config/document.ts'
import { resolvePath, usualStatePath } from '../../../config/paths.ts'
import { display } from '../../../display.ts'
import { PopfetchError } from '../../../errors.ts'
import { draft } from '../../../setup/draft.ts'
import { redactor } from '../../../redact.ts'
import { EXIT_OK, exitCodeOfError } from '../../exit.ts'
import { importLines, type ImportedReport } from './text.ts'
import { takeOver } from './seen.ts'
import type { ImportInvocation } from './options.ts'
import { newPlace, writeNew } from '../../open/new-file.ts'
import { readOldFiles } from './old-files.ts'
import type { Surroundings } from '../../surroundings.ts'
import { usageError } from '../../usage.ts'

/** Resolves to 0, or to 78 when the new file wants a person's hand before popfetch can use it. */
export async function run(invocation: ImportInvocation, surroundings: Surroundings): Promise<number> {
  const { output, env, cwd } = surroundings
  const printed = invocation.output === '-'
  if (printed && invocation.json) throw usageError('--output - prints the configuration: --json does not go with it')
  const file = printed ? null : await newPlace(invocation, surroundings)
  const { files, imported } = await readOldFiles(invocation, surroundings)
  if (imported.accounts.every(({ off }) => off)) {
    throw refusal(
      `reading ${files.map(shown).join(', ')}: there is no POP3 mailbox in it that is polled: name another file`,
    )
  }
  for (const { secret } of imported.accounts) if (secret.kind === 'text') redactor.add(secret.text)
  const state = invocation.state === null ? {} : { state: resolvePath(invocation.state, cwd, env) }
  const { text, accounts, missing } = draft(imported, {
    heading: [
      `Made by popfetch import ${invocation.tool} from ${files.map(shown).join(', ')}.`,
      'Comments say what has no counterpart, or means something else now.',
    ],
    settings: state,
    secrets: printed ? 'elsewhere' : 'written',
  })
  if (file === null) {
    output.answer(text.trimEnd())
    const why = 'nothing was written, the record of seen messages was not taken over: see --output FILE'
    if (!invocation.quiet) output.say(why)
    return EXIT_OK
  }
  const resolve = (written: string): string => resolvePath(written, dirname(file), env)
  const { configuration } = assemble(parseText(text).root, resolve)
  const statePath = await ledgerPlace(invocation, surroundings)
  const seen = await takeOver(
    accounts,
    { configured: configuration?.accounts ?? null, statePath },
    invocation,
    surroundings,
  )
  await writeNew(file, text)
  const problem = await faultOf(file, surroundings)
  const report: ImportedReport = { tool: invocation.tool, files, file, statePath, seen, missing, problem }
  if (invocation.json) output.object(objectOf(report))
  else if (!invocation.quiet) output.answer(importLines(report).join('\n'))
  if (problem !== null) output.problem(problem.message)
  return problem === null ? EXIT_OK : exitCodeOfError(problem)
}

/** `--state`, else that of the configuration in force, which the new file may be meant to go into; else the usual one. */
async function ledgerPlace({ state }: ImportInvocation, { env, cwd, uid }: Surroundings): Promise<string> {
  if (state !== null) return resolvePath(state, cwd, env)
  const { outlineConfiguration } = await import('../../../config/outline.ts')
  const outline = await outlineConfiguration({ file: null, state: null, env, cwd, uid }).catch(() => null)
  return outline?.statePath ?? usualStatePath(env)
}

/** What is wrong with the new file; null: popfetch can use it. */
async function faultOf(file: string, { rooms, env, cwd, uid }: Surroundings): Promise<PopfetchError | null> {
  const { loadConfiguration } = await rooms.configuration()
  try {
    await loadConfiguration({ file, state: null, env, cwd, uid })
    return null
  } catch (error) {
    if (error instanceof PopfetchError) return error
    throw error
  }
}

function objectOf({ file, statePath, seen, missing, problem }: ImportedReport): object {
  return {
    ok: problem === null,
    file,
    state: statePath,
    accounts: seen.map(({ name, off, count }) => ({ account: name, polled: !off, seen: count })),
    missingPasswords: missing,
    error: problem === null ? null : { code: problem.code, message: problem.message, retry: problem.retry },
  }
}

function shown(file: string): string {
  return display(file, 4096)
}

function refusal(message: string): PopfetchError {
  return new PopfetchError('ERR_CONFIG', message, { scope: 'process', retry: 'never' })
}
