// `popfetch state copy FROM`: fills the ledger of the configuration, which is empty, with all of another one, of either kind. How that is
// kept safe is ledger/copy/copy.ts.
import { storeOf } from '../../../config/oauth/sign-ins.ts'
import type { Outline } from '../../../config/outline.ts'
import { resolvePath, stateFolder } from '../../../config/paths.ts'
import { namedState, placeName, type StatePlace } from '../../../config/state/place.ts'
import type { SecretSource } from '../../../config/values/secret.ts'
import { asPopfetchError, PopfetchError } from '../../../errors.ts'
import { display } from '../../../display.ts'
import type { SignInRecord } from '../../../oauth/record.ts'
import type { SignInStore } from '../../../oauth/store.ts'
import type { CopySource, CopyTarget } from '../../../ledger/copy/copy.ts'
import { counted } from '../../../status/words/amounts.ts'
import { refusal, usageError } from '../../command-errors.ts'
import type { CommonOptions, PasswordPlace } from '../../common-options.ts'
import type { Surroundings } from '../../surroundings.ts'
import type { StateRequests } from './options.ts'

type Env = Surroundings['env']

/** Rejects with ERR_LEDGER, ERR_BUSY, ERR_CONFIG, ERR_SECRET, ERR_USAGE. */
export async function copy(
  { from: typed, password, ca, key, withoutSignIns, json }: StateRequests['copy'] & Pick<CommonOptions, 'json'>,
  outline: Outline,
  { output, cwd, env, signal }: Surroundings,
): Promise<void> {
  const named = namedState(typed, cwd, env, () => outline.postgres)
  if (named.postgres === null && (password !== null || ca !== null || key !== null))
    throw usageError(
      '--password-env, --password-file, --password-command, --ca and --key-file need the URL of a database',
    )
  const from: StatePlace =
    named.postgres === null
      ? named
      : {
          ...named,
          postgres: {
            ...named.postgres,
            ...(password === null ? {} : { password: secretOf(password, cwd, env) }),
            ...(ca === null ? {} : { ca: resolvePath(ca, cwd, env) }),
            ...(key === null ? {} : { key: { kind: 'file', path: resolvePath(key, cwd, env) }, formerKey: null }),
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
  const isSame = from.postgres === null && outline.postgres === null && stateFolder(from) === stateFolder(outline)
  const kept = withoutSignIns || isSame ? [] : await signInsAt(from, outline, env)
  const counts = await copyLedger(source, target, { signal })
  const signIns = kept.length === 0 ? 0 : await keepAll(kept, storeOf(outline, env), output)
  if (json) return output.object({ ok: true, from: there, to: here, ...counts, signIns })
  const { accounts, messages } = counts
  const also = signIns === 0 ? '' : ` and ${counted(signIns, 'sign-in')}`
  output.answer(
    `copied ${counted(messages, 'message')} of ${counted(accounts, 'account')}${also} to ${here}, and compared them; ${there} is not used from now on`,
  )
}

/** Those to be copied. Rejects before anything is done where one cannot be read, or none could be kept. */
async function signInsAt(from: StatePlace, to: StatePlace, env: Env): Promise<readonly SignInRecord[]> {
  const faults: unknown[] = []
  const records = await storeOf(from, env).all((error) => faults.push(error))
  const [fault] = faults
  if (fault !== undefined) {
    const { code, message, retry, scope } = asPopfetchError(fault)
    const advice = 'nothing was copied: --key-file names the key of a database, --without-sign-ins leaves them behind'
    throw new PopfetchError(code, `${message}; ${advice}`, { scope, retry, cause: fault })
  }
  // The key, where they are to be sealed.
  if (records.length > 0 && to.postgres !== null) await storeOf(to, env).reserve('', '')
  return records
}

/** Gives how many are there now. One that is there already stays: somebody signed in meanwhile. */
async function keepAll(
  records: readonly SignInRecord[],
  store: SignInStore,
  output: Surroundings['output'],
): Promise<number> {
  let kept = 0
  for (const record of records) {
    const { client, user } = record
    try {
      await using lock = await store.lock(client, user, LOCK_MS, new AbortController().signal)
      if (lock === null) throw new Error('another popfetch has it')
      if ((await store.read(client, user).catch(() => null)) === null) await store.write(record)
      kept++
    } catch (error) {
      const why = asPopfetchError(error).message
      output.problem(`the sign-in of ${display(user)} via ${client} was not copied (${why}): popfetch auth`)
    }
  }
  return kept
}

/** Nobody else should be at work. */
const LOCK_MS = 30_000

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
