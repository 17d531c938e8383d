// `popfetch state copy FROM`: fills the ledger of the configuration, which is empty, with all of another one, of either kind. How that is
// kept safe is ledger/copy/copy.ts.
import { readdir } from 'node:fs/promises'
import path from 'node:path'
import type { Outline } from '../../../config/outline.ts'
import { resolvePath, stateFolder } from '../../../config/paths.ts'
import { namedState, placeName, type StatePlace } from '../../../config/state/place.ts'
import type { SecretSource } from '../../../config/values/secret.ts'
import { shellQuoted } from '../../../program.ts'
import type { CopySource, CopyTarget } from '../../../ledger/copy/copy.ts'
import { counted } from '../../../status/words/amounts.ts'
import { refusal, usageError } from '../../command-errors.ts'
import type { CommonOptions, PasswordPlace } from '../../common-options.ts'
import type { Surroundings } from '../../surroundings.ts'
import type { StateRequests } from './options.ts'

type Env = Surroundings['env']

/** Rejects with ERR_LEDGER, ERR_BUSY, ERR_CONFIG, ERR_SECRET, ERR_USAGE. */
export async function copy(
  { from: typed, password, ca, json }: StateRequests['copy'] & Pick<CommonOptions, 'json'>,
  outline: Outline,
  { output, cwd, env, signal }: Surroundings,
): Promise<void> {
  const named = namedState(typed, cwd, env, () => outline.postgres)
  if (named.postgres === null && (password !== null || ca !== null))
    throw usageError('--password-env, --password-file, --password-command and --ca need the URL of a database')
  const from: StatePlace =
    named.postgres === null
      ? named
      : {
          ...named,
          postgres: {
            ...named.postgres,
            ...(password === null ? {} : { password: secretOf(password, cwd, env) }),
            ...(ca === null ? {} : { ca: resolvePath(ca, cwd, env) }),
          },
        }
  const [there, here] = [placeName(from), placeName(outline)]
  if (there === here)
    throw refusal(
      `state copy fills the ledger that the configuration names, and that is ${here} itself: let state: or --state name the new place`,
    )
  const { copyLedger } = await import('../../../ledger/copy/copy.ts')
  await using source = await sourceAt(from, env)
  await using target = await targetAt(outline, env)
  const counts = await copyLedger(source, target, { signal })
  const signIns = await keptSignIns(from, outline)
  if (json) return output.object({ ok: true, from: there, to: here, ...counts, signIns })
  const { accounts, messages } = counts
  output.answer(
    `copied ${counted(messages, 'message')} of ${counted(accounts, 'account')} to ${here}, and compared them; ${there} is not used from now on`,
  )
  if (signIns !== null)
    output.answer(
      `the sign-ins of popfetch auth are in files: to go on with them, cp -rp ${shellQuoted(signIns)} ${shellQuoted(stateFolder(outline))}/`,
    )
}

function secretOf(place: PasswordPlace, cwd: string, env: Env): SecretSource {
  if ('env' in place) return { kind: 'env', name: place.env }
  if ('command' in place) return { kind: 'command', run: place.command }
  return { kind: 'file', path: resolvePath(place.file, cwd, env) }
}

async function sourceAt({ statePath, postgres }: StatePlace, env: Env): Promise<CopySource> {
  if (postgres === null) return await (await import('../../../ledger/sqlite/copy/ends.ts')).sourceFile(statePath)
  const { serverOf } = await import('../../../config/state/open-database.ts')
  return await (await import('../../../ledger/postgres/copy/ends.ts')).sourceDatabase(await serverOf(postgres, env))
}

async function targetAt({ statePath, postgres }: StatePlace, env: Env): Promise<CopyTarget> {
  if (postgres === null) return await (await import('../../../ledger/sqlite/copy/ends.ts')).targetFile(statePath)
  const { serverOf } = await import('../../../config/state/open-database.ts')
  return await (await import('../../../ledger/postgres/copy/ends.ts')).targetDatabase(await serverOf(postgres, env))
}

/** The folder of sign-ins that the new place does not have; null: there are none, or they are there. */
async function keptSignIns(from: StatePlace, to: StatePlace): Promise<string | null> {
  const [folder, there] = [from, to].map((place) => path.join(stateFolder(place), 'oauth'))
  if (folder === undefined || folder === there) return null
  const names = await readdir(folder).catch((): string[] => [])
  return names.some((name) => name.endsWith('.json')) ? folder : null
}
