// `popfetch import fetchmail|getmail|mpop|thunderbird [FILE]`: takes over an old tool's configuration and its record of seen messages.
// old-files.ts reads the old files. The room setup/ knows what they mean. seen.ts takes over the record.
// The one rule: the record is in the ledger before there is a configuration with which popfetch could poll.
import { dirname } from 'node:path'
import { assemble } from '../../../config/assemble.ts'
import { parseText } from '../../../config/document.ts'
import { resolvePath, usualStatePath } from '../../../config/paths.ts'
import { inFile, namedState, placeName, type StatePlace, stateWord } from '../../../config/state/place.ts'
import { display } from '../../../display.ts'
import { PopfetchError } from '../../../errors.ts'
import { draft } from '../../../setup/draft.ts'
import type { Imported } from '../../../setup/imported.ts'
import { trialHeading } from '../../../setup/trial.ts'
import { redactor } from '../../../redact.ts'
import { EXIT_OK, exitCodeOfError } from '../../../status/exit.ts'
import { importLines, type ImportedReport, trialWarnings, warningLines } from './text.ts'
import { withPasswords } from './passwords.ts'
import { takeOver } from './seen.ts'
import type { ImportInvocation } from './options.ts'
import { newFilePath, writeNewFile } from '../../open/new-file.ts'
import { readOldFiles } from './old-files.ts'
import type { Surroundings } from '../../surroundings.ts'
import { configurationError, usageError } from '../../command-errors.ts'

/** Resolves to 0, or to 78 when a person has to edit the new file before popfetch can use it. */
export async function run(invocation: ImportInvocation, surroundings: Surroundings): Promise<number> {
  const { output, env, cwd } = surroundings
  const { mode } = invocation
  if (mode === 'record-only' || mode === 'finish-trial')
    return await (await import('./into-accounts.ts')).run(invocation, surroundings)
  const isTrial = mode === 'trial'
  const printed = invocation.output === '-'
  if (printed && invocation.json)
    throw usageError('--output - prints the configuration and cannot be combined with --json')
  const file = printed ? null : await newFilePath(invocation, surroundings)
  const { files, imported: found } = await readOldFiles(invocation, surroundings)
  const imported = await completed(found, invocation, surroundings)
  if (imported.accounts.every(({ off }) => off)) {
    throw configurationError(`reading ${files.map(shown).join(', ')}: it has no active POP3 mailbox: use another file`)
  }
  for (const { secret } of imported.accounts) if (secret.kind === 'text') redactor.add(secret.text)
  const state = invocation.state === null ? {} : { state: stateWord(invocation.state, cwd, env) }
  const { text, accounts, missing } = draft(imported, {
    heading: [
      `Created by popfetch import ${invocation.tool} from ${files.map(shown).join(', ')}.`,
      'Comments name settings without an equivalent, or with a different meaning.',
      ...(isTrial ? trialHeading(invocation.tool) : []),
    ],
    settings: state,
    secrets: printed ? 'elsewhere' : 'written',
    trial: isTrial,
  })
  if (file === null) {
    output.answer(text.trimEnd())
    const why = 'nothing was written, and the record of seen messages was not imported: see --output FILE'
    if (!invocation.quiet) output.say(why)
    return EXIT_OK
  }
  const resolve = (written: string): string => resolvePath(written, dirname(file), env)
  const { configuration } = assemble(parseText(text).root, resolve)
  const place = await ledgerPlace(invocation, surroundings)
  const seen = await takeOver(
    accounts,
    { configured: configuration?.accounts ?? null, place },
    invocation,
    surroundings,
  )
  await writeNewFile(file, text)
  const problem = await faultOf(file, surroundings)
  const report: ImportedReport = { tool: invocation.tool, isTrial, files, file, place, seen, missing, problem }
  if (invocation.json) output.object(objectOf(report))
  else if (!invocation.quiet) output.prose(importLines(report).join('\n'))
  for (const line of warningLines(seen)) output.problem(line)
  if (isTrial) for (const line of trialWarnings(seen, invocation.tool)) output.problem(line)
  if (problem !== null) output.problem(problem.message)
  return problem === null ? EXIT_OK : exitCodeOfError(problem)
}

/** With the passwords that no old file has. Nobody is asked where the answer would not be kept. */
async function completed(found: Imported, invocation: ImportInvocation, surroundings: Surroundings): Promise<Imported> {
  const { terminalDialogue } = await import('../../terminal/dialogue.ts')
  const isKept = invocation.output !== '-' && !invocation.json
  const { password } = invocation
  const { cwd, env } = surroundings
  const place = password !== null && 'file' in password ? { file: resolvePath(password.file, cwd, env) } : password
  return await withPasswords(found, place, isKept ? terminalDialogue(surroundings) : null)
}

/** `--state`; else the ledger of the configuration in effect, since the new accounts may be meant for it; else the usual one. */
async function ledgerPlace({ state }: ImportInvocation, { env, cwd, uid }: Surroundings): Promise<StatePlace> {
  if (state !== null) return namedState(state, cwd, env)
  const { outlineConfiguration } = await import('../../../config/outline.ts')
  const outline = await outlineConfiguration({ file: null, state: null, env, cwd, uid }).catch(() => null)
  return outline ?? inFile(usualStatePath(env))
}

/** The fault of the new file; null: popfetch can use it. */
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

function objectOf({ file, place, seen, missing, problem }: ImportedReport): object {
  return {
    ok: problem === null,
    file,
    state: placeName(place),
    accounts: seen.map(({ name, off, count, warnings }) => ({ account: name, polled: !off, seen: count, warnings })),
    missingPasswords: missing,
    error: problem === null ? null : { code: problem.code, message: problem.message, retry: problem.retry },
  }
}

function shown(file: string): string {
  return display(file, 4096)
}
