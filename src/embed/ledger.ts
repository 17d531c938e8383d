// The ledger that an embedding program names: a file, the URL of a database, or what a loaded configuration says.
import path from 'node:path'
import type { Environment } from '../config/paths.ts'
import type { Configuration } from '../config/schema.ts'
import { openLedger } from '../config/state/open-ledger.ts'
import { inFile, namedState, type StatePlace } from '../config/state/place.ts'
import type { Ledger } from '../ledger/ledger.ts'

type Named = string | Pick<Configuration, 'statePath' | 'postgres'>

/** Rejects as openLedger does. */
export async function openPlace(named: Named, env: Environment): Promise<Ledger> {
  // It may be plain JavaScript that asks.
  if (typeof named === 'string' && named !== '') return await openLedger(namedState(named, process.cwd(), env), { env })
  if (typeof named === 'object' && named !== null && typeof named.statePath === 'string')
    return await openLedger(named, { env })
  throw new TypeError('openLedger needs the path of the ledger, such as configuration.statePath')
}

/** `word`: not empty. `configuration`: loaded from a file; its own ledger is meant where its path is given. */
export function placeOfLedger(
  word: string,
  configuration: Pick<Configuration, 'statePath' | 'postgres'> | null,
  { base, env }: { readonly base: string; readonly env: Environment },
): StatePlace {
  const place = namedState(word, base, env, () => configuration?.postgres ?? null)
  const isItsOwn = place.postgres === null && path.resolve(place.statePath) === configuration?.statePath
  return isItsOwn ? { ...inFile(configuration.statePath), postgres: configuration.postgres } : place
}
