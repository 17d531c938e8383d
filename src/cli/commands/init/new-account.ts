// The answers of `init` as the text of a configuration file, and as the account that popfetch reads from it. Pure.
import path from 'node:path'
import { assemble } from '../../../config/assemble.ts'
import { parseText } from '../../../config/document.ts'
import type { OfClients } from '../../../config/oauth/sign-ins.ts'
import { resolvePath } from '../../../config/paths.ts'
import { mismatchText, pathText } from '../../../config/problem.ts'
import type { Account, Configuration } from '../../../config/schema.ts'
import { pinKeys } from '../../../config/values/values.ts'
import { isWritten, type Written } from '../../../config/values/written.ts'
import { statePlace } from '../../../config/state/place.ts'
import { isPostgresUrl } from '../../../config/state/postgres.ts'
import { draft } from '../../../setup/draft.ts'
import { present, asWritten, type ImportedAccount } from '../../../setup/imported.ts'
import type { InitInvocation } from './options.ts'
import type { Surroundings } from '../../surroundings.ts'
import { usageError } from '../../command-errors.ts'

export interface Mailbox extends Pick<ImportedAccount, 'name' | 'host' | 'user' | 'secret' | 'secretKey'> {
  /** The client of `oauth:` under which it signs in; null: none. */
  readonly client: { readonly name: string; readonly keys: Written } | null
  /** Null: the usual port. */
  readonly port: number | null
  readonly tls: 'implicit' | 'starttls' | 'none'
  readonly ca: string | null
  readonly pin: readonly string[] | null
}

export interface Choices {
  readonly deliver: Written
  /** The client under which a destination signs in; null: none, or that of the mailbox. */
  readonly client: Mailbox['client']
  readonly deletion: string
}

type Place = Pick<Surroundings, 'cwd' | 'env'>

/** `choices`: null while only the mailbox is known, to try it. */
export function initText(
  mailbox: Mailbox,
  choices: Choices | null,
  { state }: InitInvocation,
  { cwd, env }: Place,
): string {
  const { tls, port, secret, ca, pin } = mailbox
  const typed = (file: string): string => (file.startsWith('~') ? file : resolvePath(file, cwd, env))
  const deliver = choices?.deliver ?? { type: 'maildir', path: '~/Mail' }
  const account: ImportedAccount = {
    ...mailbox,
    port: port ?? (tls === 'implicit' ? 995 : 110),
    // Paths of a command line are relative to the working directory, those of a file to the file.
    secret: secret.kind === 'file' ? { kind: 'file', path: typed(secret.path) } : secret,
    keys: present({
      tls: tls === 'implicit' ? null : tls,
      ca: ca === null ? null : typed(ca),
      pin: pinKeys(pin),
      delete: choices?.deletion ?? null,
    }),
    deliver: [withTypedPaths(deliver, typed)],
    warnings: [],
    remarks: [],
    off: false,
    seen: { file: '', listsOf: () => new Map(), keys: [], spellings: asWritten },
  }
  const clients = [choices?.client ?? null, mailbox.client].filter((client) => client !== null)
  const oauth = Object.fromEntries(clients.map(({ name, keys }) => [name, clientKeys(keys, typed)]))
  const settings = {
    ...(state === null ? {} : { state: isPostgresUrl(state) ? state : typed(state) }),
    ...(clients.length === 0 ? {} : { oauth }),
  }
  const heading = ['Created by popfetch init. All settings: popfetch config reference']
  return draft({ accounts: [account], settings, remarks: [] }, { heading, settings: {}, secrets: 'written' }).text
}

/** Paths of a command line are relative to the working directory. */
export function withTypedPaths(deliver: Written, typed: (file: string) => string): Written {
  const { path: place, password, ca, socket, run } = deliver
  const words: readonly unknown[] = Array.isArray(run) ? run : []
  const [program, ...rest] = words
  const isFile = isWritten(password) && typeof password['file'] === 'string'
  return {
    ...deliver,
    ...(typeof place === 'string' ? { path: typed(place) } : {}),
    ...(typeof ca === 'string' ? { ca: typed(ca) } : {}),
    ...(typeof socket === 'string' ? { socket: typed(socket) } : {}),
    // A bare name is looked up in PATH.
    ...(typeof program === 'string' && program.includes('/') ? { run: [typed(program), ...rest] } : {}),
    ...(isFile ? { password: { file: typed(String(password['file'])) } } : {}),
  }
}

function clientKeys(keys: Written, typed: (file: string) => string): Written {
  const secret = keys['clientSecret']
  const isFile = isWritten(secret) && typeof secret['file'] === 'string'
  return isFile ? { ...keys, clientSecret: { file: typed(String(secret['file'])) } } : keys
}

export interface Drafted {
  readonly account: Account
  readonly configuration: OfClients & Pick<Configuration, 'destinations' | 'postgres'>
}

/** The account with the configuration around it; null as its name: the first. Rejects with ERR_USAGE when the schema finds a
 *  fault. */
export function drafted(text: string, name: string | null, file: string, { env }: Place): Drafted {
  const resolve = (written: string): string => resolvePath(written, path.dirname(file), env)
  const { configuration, problems } = assemble(parseText(text).root, resolve)
  const account = configuration?.accounts.find((one) => name === null || one.name === name)
  if (account !== undefined && configuration !== null) {
    const place = statePlace({ path: configuration.statePath, postgres: configuration.postgres }, env)
    return { account, configuration: { ...configuration, ...place } }
  }
  const [problem] = problems
  const key = pathText(problem?.path.slice(2) ?? [])
  throw usageError(
    `${key}: ${mismatchText({ found: problem?.found ?? 'nothing', expected: problem?.expected ?? 'an account' })}`,
  )
}
