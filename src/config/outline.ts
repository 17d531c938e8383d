// What `status` and `state` need of a configuration: where the ledger is, which accounts there are. They work although the
// rest of the file is broken, because that is when people ask for them. The configuration in effect is load.ts.
import { PopfetchError } from '../errors.ts'
import { ourUid } from '../own-file.ts'
import { parsing } from './document.ts'
import { loadConfiguration, readText, type LoadOptions } from './load.ts'
import { findConfiguration, resolving } from './paths.ts'
import type { Configuration } from './schema.ts'
import { namedState, type StatePlace } from './state/place.ts'
import { statePlaceOf } from './state/written.ts'
import { inTurns } from './turns.ts'
import { isWritten } from './values/written.ts'

export interface Outline extends StatePlace {
  /** Names of accounts, as written; null: they cannot be told. */
  readonly accounts: readonly string[] | null
  /** Those of them that are not polled (`enabled: false`). */
  readonly disabled: readonly string[]
  /** The configuration in effect; null: something in the file is wrong. */
  readonly configuration: Configuration | null
  /** What is wrong; null: nothing. */
  readonly problem: PopfetchError | null
}

/** Rejects with ERR_CONFIG when the place of the ledger cannot be told. Runs no command and reads no secret. */
export async function outlineConfiguration(options: LoadOptions): Promise<Outline> {
  try {
    const configuration = await loadConfiguration({ ...options, purpose: 'kept' })
    const { statePath, postgres, accounts } = configuration
    const disabled = configuration.disabled.map(({ name }) => name)
    // Which accounts there are, only its program knows.
    if (configuration.trouble !== null)
      return { statePath, postgres, accounts: null, disabled, configuration, problem: null }
    return {
      statePath,
      postgres,
      accounts: [...accounts.map(({ name }) => name), ...disabled],
      disabled,
      configuration,
      problem: null,
    }
  } catch (error) {
    if (!(error instanceof PopfetchError) || error.code !== 'ERR_CONFIG') throw error
    const { state, cwd, env } = options
    const legible = await readLegible(options)
    const place = state === null ? legible.place : namedState(state, cwd, env, () => legible.place?.postgres ?? null)
    if (place === null) throw error
    return { ...place, accounts: legible.accounts, disabled: [], configuration: null, problem: error }
  }
}

interface Legible {
  readonly place: StatePlace | null
  readonly accounts: readonly string[] | null
}

async function readLegible({ file: named, env, cwd, uid }: LoadOptions): Promise<Legible> {
  const nothing = { place: null, accounts: null }
  try {
    const file = await findConfiguration(named, env, cwd)
    const { text } = await readText(file, ourUid(env, uid), env)
    const { readable, root } = await inTurns(parsing(text))
    if (!readable || !isWritten(root)) return nothing
    const { accounts } = root
    return {
      place: statePlaceOf(root['state'], { resolve: resolving(file, env), env }),
      accounts: isWritten(accounts) ? Object.keys(accounts) : null,
    }
  } catch {
    // loadConfiguration has said why.
    return nothing
  }
}
