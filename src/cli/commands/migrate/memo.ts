// A migration as it was asked for. The command line for a person, and what is kept in the ledger so that `--resume` goes on
// with it. Neither holds a password, only where one is. Pure.
import { resolvePath } from '../../../config/paths.ts'
import { shellQuoted } from '../../../program.ts'
import { type CommonOptions, COMMON, commonOptions } from '../../common-options.ts'
import { refusal } from '../../command-errors.ts'
import { valuesOf } from '../../option.ts'
import type { Surroundings } from '../../surroundings.ts'
import { command, type MigrateInvocation, type UrlSecrets } from './options.ts'

type Options = Readonly<Record<string, string | true>>

/** What is kept. Paths in it are relative to `cwd`. */
interface Memo {
  readonly cwd: string
  readonly words: readonly string[]
  readonly options: Options
}

/** A migration that was begun, as it was asked for. */
export interface Remembered {
  readonly invocation: MigrateInvocation
  /** Where it was asked for. */
  readonly cwd: string
}

/** The command line again, quoted for a shell. It contains no secret. */
export function commandOf(invocation: MigrateInvocation): string {
  const { pair, state } = invocation
  const words = pair === null ? [] : [pair.from, pair.to]
  const options = { ...optionsOf(invocation), ...option('state', state) }
  const written = Object.entries(options).flatMap(([name, value]) =>
    value === true ? [`--${name}`] : [`--${name}`, value],
  )
  return ['popfetch', 'migrate', ...words, ...written].map(quoted).join(' ')
}

export function memoOf(invocation: MigrateInvocation, cwd: string): string {
  const { pair } = invocation
  const memo: Memo = { cwd, words: pair === null ? [] : [pair.from, pair.to], options: optionsOf(invocation) }
  return JSON.stringify(memo)
}

/** Null: it is not what memoOf made, or asks for what this popfetch does not know. */
export function remembered(text: string): Remembered | null {
  try {
    const { cwd, words, options } = JSON.parse(text) as Memo
    const given = {
      words: words.map(String),
      options: <Table extends Parameters<typeof valuesOf>[0]>(table: Table) => valuesOf(table, options),
    }
    const invocation = { ...commonOptions(valuesOf(COMMON, options)), ...command.request(given) }
    return typeof cwd === 'string' && invocation.act === 'move' ? { invocation, cwd } : null
  } catch {
    return null
  }
}

/** The migration that was begun, with what is said again beside `--resume`. */
export function resumed(
  before: Remembered,
  { invocation, surroundings }: { invocation: MigrateInvocation; surroundings: Pick<Surroundings, 'cwd' | 'env'> },
): MigrateInvocation {
  const here = (path: string | null): string | null =>
    path === null ? null : resolvePath(path, surroundings.cwd, surroundings.env)
  const secrets = (anew: UrlSecrets, old: UrlSecrets): UrlSecrets => ({
    password:
      anew.password !== null && 'file' in anew.password
        ? { file: here(anew.password.file) ?? '' }
        : (anew.password ?? old.password),
    ca: here(anew.ca) ?? old.ca,
  })
  const { invocation: old } = before
  const merged = {
    ...old,
    ...commonOf(invocation),
    config: here(invocation.config) ?? old.config,
    maxRate: invocation.maxRate ?? old.maxRate,
    keepTrying: invocation.keepTrying ?? old.keepTrying,
    yes: invocation.yes || old.yes,
    report: here(invocation.report) ?? old.report,
    source: secrets(invocation.source, old.source),
    destination: secrets(invocation.destination, old.destination),
  }
  // What a URL may have, an account or a destination by name may not.
  if (remembered(memoOf(merged, before.cwd)) === null)
    throw refusal(
      `migrate --resume: it was started with ${commandOf(old)}, which cannot be combined with these options`,
    )
  return merged
}

function commonOf({
  state,
  quiet,
  verbose,
  json,
  logFile,
  logLevel,
}: MigrateInvocation): Omit<CommonOptions, 'config'> {
  return { state, quiet, verbose, json, logFile, logLevel }
}

function optionsOf(invocation: MigrateInvocation): Options {
  const { pair, config, limit, since, maxRate, keepTrying, yes, report, source, destination } = invocation
  return {
    ...(pair === null ? { every: true as const } : {}),
    ...(invocation.delete ? { delete: true as const } : {}),
    ...option('config', config),
    ...option('limit', limit),
    ...option('since', since?.text ?? null),
    ...option('max-rate', maxRate?.text ?? null),
    ...option('keep-trying', keepTrying?.text ?? null),
    ...(yes ? { yes: true as const } : {}),
    ...option('report', report),
    ...secretOptions(source, ''),
    ...secretOptions(destination, 'to-'),
  }
}

function secretOptions({ password, ca }: UrlSecrets, before: string): Options {
  const place = Object.entries(password ?? {}).map(([kind, value]) => option(`${before}password-${kind}`, value))
  return { ...place[0], ...option(`${before}ca`, ca) }
}

function option(name: string, value: string | number | null): Options {
  return value === null ? {} : { [name]: String(value) }
}

function quoted(word: string): string {
  return /^[\w@%+=:,./~-]+$/.test(word) ? word : shellQuoted(word)
}
