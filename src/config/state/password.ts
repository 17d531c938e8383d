// The password for the database of a ledger: as the configuration says, else what the file in $PGPASSFILE has for it, as libpq reads
// that (https://www.postgresql.org/docs/15/libpq-pgpass.html).
import { display } from '../../display.ts'
import { errnoOf, PopfetchError } from '../../errors.ts'
import { ourUid, readOwnFile } from '../../own-file.ts'
import { redactor } from '../../redact.ts'
import type { Environment } from '../paths.ts'
import { resolveSecret } from '../values/secret.ts'
import { isSocket, type Postgres } from './postgres.ts'

const WHAT = 'the password of the database'
const FILE_BYTES = 1_048_576

/** Null: there is none. Rejects with ERR_SECRET. Masked from now on. */
export async function databasePassword(postgres: Postgres, env: Environment): Promise<string | null> {
  if (postgres.password !== null) {
    const never = new AbortController().signal
    return await resolveSecret(postgres.password, { env, signal: never, what: WHAT }).catch((error: unknown) => {
      throw ofProcess(error)
    })
  }
  const file = env['PGPASSFILE']
  if (!file) return null
  const found = passwordIn(await textOf(file, env), postgres)
  if (found !== null) redactor.add(found, WHAT)
  return found
}

/** No account is to blame for it. */
function ofProcess(error: unknown): unknown {
  if (!(error instanceof PopfetchError) || error.scope === 'process') return error
  const { code, message, retry } = error
  return new PopfetchError(code, message, { scope: 'process', retry, cause: error })
}

async function textOf(file: string, env: Environment): Promise<string> {
  const wrong = (why: string, cause?: unknown): PopfetchError =>
    new PopfetchError('ERR_SECRET', `reading ${WHAT} from the file ${display(file)} ($PGPASSFILE): ${why}`, {
      scope: 'process',
      retry: 'never',
      cause,
    })
  try {
    const bytes = await readOwnFile(file, { uid: ourUid(env), limitBytes: FILE_BYTES, isSecret: true })
    if (bytes === null) throw wrong('it is larger than 1 MiB: put only passwords into it')
    return bytes.toString('utf8')
  } catch (error) {
    if (error instanceof PopfetchError) throw error
    const errno = errnoOf(error)
    const why = error instanceof Error && errno === null ? error.message : (errno ?? 'it cannot be read')
    throw wrong(errno === 'ENOENT' ? 'it does not exist: create it, or unset PGPASSFILE' : why, error)
  }
}

/** `host:port:database:user:password` in each line, `*` for anything, a backslash before `:` and `\`. The first match counts. */
export function passwordIn(text: string, place: Pick<Postgres, 'host' | 'port' | 'user' | 'database'>): string | null {
  const hosts = isSocket(place) ? [place.host, 'localhost'] : [place.host]
  const wanted = [hosts, [String(place.port)], [place.database], [place.user]]
  for (const line of text.split(/\r?\n/)) {
    if (line.startsWith('#')) continue
    const fields = fieldsOf(line)
    const password = fields[4]
    if (password === undefined || password === '') continue
    if (wanted.every((meant, at) => fields[at] === '*' || meant.includes(fields[at] ?? ''))) return password
  }
  return null
}

/** The last one has all that follows. */
function fieldsOf(line: string): readonly string[] {
  const fields = ['']
  for (let at = 0; at < line.length; at++) {
    const character = line.charAt(at)
    if (character === '\\' && at + 1 < line.length) fields.push(`${fields.pop() ?? ''}${line.charAt(++at)}`)
    else if (character === ':' && fields.length < 5) fields.push('')
    else fields.push(`${fields.pop() ?? ''}${character}`)
  }
  return fields
}
