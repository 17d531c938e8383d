// Where secrets come from, and how they are read: just before each sign-in, never kept here. A command that prints a secret
// runs within bounds (N022, slow or noisy command): 30 s, 64 KiB. Certificates are read here too.
// The one rule: a secret goes to the caller of resolveSecret and nowhere else: no error, log or inspection shows it.
import { createHmac, randomBytes } from 'node:crypto'
import path from 'node:path'
import { inspect, isDeepStrictEqual } from 'node:util'
import { display, displayBytes } from '../../display.ts'
import { errnoOf, PopfetchError } from '../../errors.ts'
import type { Retry } from '../../errors.ts'
import { ForeignFile, ourUid, readOwnFile } from '../../own-file.ts'
import type { Ending } from '../../program.ts'
import { redactor } from '../../redact.ts'
import type { Written } from './written.ts'

/** What is in place of a secret wherever configuration is shown. */
export const MASK = '********'

/** A secret written in the configuration. Printing, inspecting or serialising it gives the mask; only reveal() gives it. */
export class SecretText {
  readonly kind = 'text'
  readonly #text: string

  constructor(text: string) {
    this.#text = text
  }

  reveal(): string {
    return this.#text
  }

  toString(): string {
    return MASK
  }

  toJSON(): string {
    return MASK
  }

  [inspect.custom](): string {
    return MASK
  }
}

let lastId = 0

/** What a function of an embedding program is given. */
export interface SecretAsked {
  /** Aborted when nobody waits any more: after 30 seconds, or because popfetch ends. */
  readonly signal: AbortSignal
}

/** A secret that an embedding program has a function for: no file can hold one. Without private members, which no type of a
 *  configuration has. */
export class SecretFunction {
  readonly kind = 'function'
  /** Tells it from all others where functions are left out. */
  readonly id = ++lastId
  /** Gives whatever the function gives, or throws what it throws. */
  readonly read: (asked: SecretAsked) => unknown

  constructor(read: (asked: SecretAsked) => unknown) {
    this.read = read
  }
}

export type SecretSource =
  | SecretText
  | SecretFunction
  | { readonly kind: 'env'; readonly name: string }
  | { readonly kind: 'file'; readonly path: string }
  | { readonly kind: 'command'; readonly run: string | readonly string[] }
  | { readonly kind: 'credential'; readonly name: string }
  /** An item of the desktop's keyring. */
  | { readonly kind: 'keyring'; readonly name: string }

/** A token may also come from a sign-in at a provider: who has a token asks for it there, not here. */
export type TokenSource = SecretSource | { readonly kind: 'oauth'; readonly client: string }

/** Longer than any password or token, and no burden for memory. */
export const SECRET_LIMIT_BYTES = 65_536

export interface SecretContext {
  readonly env: Readonly<Record<string, string | undefined>>
  readonly signal: AbortSignal
  /** For error texts: "the password of old-isp". */
  readonly what: string
}

/** The secret: never empty, without CR, LF and NUL (P073, injected commands). From now on it is masked in everything that
 *  popfetch writes. Rejects with ERR_SECRET, `never` when a person has to change something, `soon` when a command failed;
 *  with ERR_ABORTED after the signal. */
export async function resolveSecret(source: SecretSource, context: SecretContext): Promise<string> {
  const secret = await read(source, context)
  redactor.add(secret, context.what)
  return secret
}

async function read(source: SecretSource, context: SecretContext): Promise<string> {
  const { env, what } = context
  switch (source.kind) {
    case 'text':
      return checked(source.reveal(), what, 'the text in the configuration', 'never')
    case 'env': {
      const value = env[source.name]
      if (value === undefined)
        throw missing(what, `the environment variable ${source.name}`, 'it is not set: export it')
      return checked(value, what, `the environment variable ${source.name}`, 'never')
    }
    case 'file':
      return fromFile(source.path, what, env)
    case 'credential': {
      const directory = env['CREDENTIALS_DIRECTORY']
      if (!directory) {
        const how = `CREDENTIALS_DIRECTORY is not set: run popfetch from a systemd unit with LoadCredential=${source.name}:…`
        throw missing(what, `the credential ${source.name}`, how)
      }
      return fromFile(path.join(directory, source.name), what, env)
    }
    case 'keyring':
      return await keyringSecret(source.name, context)
    case 'function':
      return await fromFunction(source, context)
    case 'command': {
      const from = `the command ${commandName(source.run)}`
      const output = await runSecretCommand(source.run, { ...context, from, limitBytes: SECRET_LIMIT_BYTES })
      return checked(withoutNewline(decoded(output, what, from, 'soon')), what, from, 'soon')
    }
  }
}

/** A source as `config show` prints it, by the keys of the file. It contains nothing that may be secret. */
export function sourceKeys(source: TokenSource | null): Written | string | null {
  switch (source?.kind) {
    case undefined:
      return null
    case 'text':
    case 'function':
      return MASK
    case 'env':
      return { env: source.name }
    case 'file':
      return { file: source.path }
    case 'command':
      return { command: commandName(source.run) }
    case 'credential':
      return { credential: source.name }
    case 'keyring':
      return { keyring: source.name }
    case 'oauth':
      return { oauth: source.client }
  }
}

/** Whether two parts of a configuration say the same. Secrets that are written out look alike to isDeepStrictEqual, which
 *  cannot see into them. */
export function sameConfiguration(a: unknown, b: unknown): boolean {
  return a === b || (isDeepStrictEqual(a, b) && isDeepStrictEqual(textsIn(a), textsIn(b)))
}

/** What differs for two parts of a configuration that do not say the same. Of use in this process alone: nobody learns a secret of
 *  it. */
export function keyOfConfiguration(part: unknown): string {
  key ??= randomBytes(32)
  return createHmac('sha256', key)
    .update(JSON.stringify([part, textsIn(part)]))
    .digest('base64')
}

let key: Buffer | null = null

/** The secrets that are written out somewhere in it, in its order. */
function textsIn(value: unknown): readonly string[] {
  if (value instanceof SecretText) return [value.reveal()]
  return typeof value === 'object' && value !== null ? Object.values(value).flatMap(textsIn) : []
}

/** A command by its first word: the others may hold a secret. */
export function commandName(run: string | readonly string[]): string {
  const [first = '', ...rest] = typeof run === 'string' ? run.trim().split(/\s+/) : run
  // `TOKEN=abc curl …`: an assignment is no command's name.
  if (first.includes('=')) return MASK
  return rest.length > 0 ? `"${display(first)} …"` : `"${display(first)}"`
}

async function fromFunction(source: Pick<SecretFunction, 'read'>, { what, signal }: SecretContext): Promise<string> {
  const from = 'the function for it'
  const limit = AbortSignal.timeout(LIMIT_MS)
  const stop = AbortSignal.any([signal, limit])
  const stopped = Promise.withResolvers<never>()
  const onAbort = (): void => stopped.reject(stop.reason)
  stop.addEventListener('abort', onAbort, { once: true })
  try {
    stop.throwIfAborted()
    const given = await Promise.race([source.read({ signal: stop }), stopped.promise])
    if (typeof given === 'string') return checked(given, what, from, 'soon')
  } catch (cause) {
    if (signal.aborted) throw aborted(what)
    if (cause instanceof PopfetchError && cause.code === 'ERR_SECRET') throw cause
    const text = cause instanceof Error ? cause.message : String(cause)
    const how = limit.aborted ? `no answer within ${LIMIT_MS / 1000} s` : `it failed: ${display(withoutTokens(text))}`
    throw refusal(what, from, how, 'soon', cause)
  } finally {
    stop.removeEventListener('abort', onAbort)
  }
  throw refusal(what, from, 'it gave no text: let it give the secret', 'soon')
}

async function keyringSecret(name: string, { env, signal, what }: SecretContext): Promise<string> {
  const from = `the keyring item ${display(name)}`
  const { fromKeyring } = await import('./keyring.ts')
  const answer = await fromKeyring(name, { env, signal, limitBytes: SECRET_LIMIT_BYTES })
  switch (answer.kind) {
    case 'found':
      return checked(withoutNewline(decoded(answer.bytes, what, from, 'soon')), what, from, 'soon')
    case 'not had':
      throw refusal(what, from, answer.how, answer.passes ? 'soon' : 'never', answer.cause)
    case 'failed':
      throw refusal(what, from, `${howItEnded(answer.ending)} (is the keyring unlocked?)`, 'soon')
    case 'stopped':
      throw aborted(what)
  }
}

async function fromFile(file: string, what: string, env: SecretContext['env']): Promise<string> {
  const from = `the file ${display(file)}`
  const bytes = await readSecretFile(file, what, from, env)
  return checked(withoutNewline(decoded(bytes, what, from, 'never')), what, from, 'never')
}

/** Where somebody puts secrets for us, under an owner and a mode of their own. */
function depositsOf({ CREDENTIALS_DIRECTORY: credentials }: SecretContext['env']): readonly string[] {
  return credentials === undefined || !path.isAbsolute(credentials) ? ['/run/secrets'] : ['/run/secrets', credentials]
}

async function readSecretFile(file: string, what: string, from: string, env: SecretContext['env']): Promise<Buffer> {
  try {
    const rules = { uid: ourUid(env), deposits: depositsOf(env), limitBytes: SECRET_LIMIT_BYTES, isSecret: true }
    const bytes = await readOwnFile(file, rules)
    if (bytes === null) throw missing(what, from, 'it is larger than 64 KiB: put only the secret into it')
    return bytes
  } catch (error) {
    if (error instanceof PopfetchError) throw error
    if (error instanceof ForeignFile) throw missing(what, from, error.message, error)
    const errno = errnoOf(error)
    if (errno === 'ENOENT' || errno === 'ENOTDIR') throw missing(what, from, 'it does not exist: create it', error)
    if (errno === 'EACCES') throw missing(what, from, 'permission denied: make it readable for this user', error)
    throw refusal(what, from, `${errno ?? 'it cannot be read'}: try again`, 'soon', error)
  }
}

function decoded(bytes: Buffer, what: string, from: string, retry: Retry): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch {
    throw refusal(what, from, 'it is not UTF-8 text: convert it', retry)
  }
}

/** Editors and `echo` put one newline at the end; a second one belongs to the secret, and is refused. */
function withoutNewline(text: string): string {
  return text.endsWith('\n') ? text.slice(0, -1) : text
}

function checked(secret: string, what: string, from: string, retry: Retry): string {
  if (secret === '') throw refusal(what, from, 'it is empty: put the secret there', retry)
  // eslint-disable-next-line no-control-regex
  if (/[\r\n\0]/.test(secret))
    throw refusal(what, from, 'there is a line break or NUL in it: leave only the secret', retry)
  return secret
}

function missing(what: string, from: string, how: string, cause?: unknown): PopfetchError {
  return refusal(what, from, how, 'never', cause)
}

function refusal(what: string, from: string, how: string, retry: Retry, cause?: unknown): PopfetchError {
  return new PopfetchError('ERR_SECRET', `reading ${what} from ${from}: ${how}`, { scope: 'account', retry, cause })
}

/** Time for a person to touch a hardware token. A poll does not wait longer for one account. */
const LIMIT_MS = 30_000

/** Of standard error, for the report. */
const STDERR_BYTES = 4096

interface Run {
  readonly env: Readonly<Record<string, string | undefined>>
  readonly signal: AbortSignal
  readonly what: string
  /** How error texts name the command. */
  readonly from: string
  readonly limitBytes: number
  readonly limitMs?: number
}

/** What the command wrote to standard output. A string goes to `sh -c`, a list is run without a shell; standard input is
 *  empty. Rejects with ERR_SECRET of retry `soon`, or ERR_ABORTED. */
export async function runSecretCommand(run: string | readonly string[], options: Run): Promise<Buffer> {
  const { env, signal, what, from, limitBytes, limitMs = LIMIT_MS } = options
  // At first use: a poll whose secrets are no commands loads nothing that starts programs.
  const { NO_INPUT, runProgram } = await import('../../program.ts')
  let ending: Ending
  try {
    ending = await runProgram({
      command: typeof run === 'string' ? ['/bin/sh', '-c', run] : run,
      env,
      cwd: null,
      stdin: NO_INPUT,
      stdout: { keep: 'all', limitBytes },
      stderr: { keep: 'last', limitBytes: STDERR_BYTES },
      limitMs,
      signal,
    })
  } catch (error) {
    throw refusal(what, from, 'it cannot be started', 'soon', error)
  }
  switch (ending.ended) {
    case 'abort':
      throw aborted(what)
    case 'time limit':
      throw refusal(what, from, `no answer within ${limitMs / 1000} s: check whether it waits for input`, 'soon')
    case 'output limit':
      throw refusal(what, from, 'it printed more than 64 KiB: make it print only the secret', 'soon')
    case null:
      if (ending.code === 0) return ending.stdout
      // It may be the secret all the same, and its standard error may repeat it.
      const [first = '', second = '', third = ''] = ending.stdout.toString('utf8').trim().split('\n', 3)
      for (const line of [first, second, third]) redactor.add(line.trim(), `what was printed instead of ${what}`)
      throw refusal(what, from, howItEnded(ending), 'soon')
  }
}

/** A long word of letters and digits: a token that the command would have printed, which nobody has heard of yet. Not a path,
 *  nor an address. */
const TOKEN = /(?<![\w~+=/.@-])(?:\d\/\/)?[\w~+=-]{20,}(?:\.[\w~+=-]{6,})*(?![\w~+=/@-])/g

function withoutTokens(text: string): string {
  return text.replace(TOKEN, (word) => (/\d/.test(word) && /[a-z]/i.test(word) ? MASK : word))
}

function howItEnded({ code, signal: killedBy, stderr }: Ending): string {
  const how = killedBy ? `it was ended by ${killedBy}` : `it exited with ${code}`
  const cut = stderr.length < STDERR_BYTES ? 'none' : 'start'
  // Before the masking of what is known as well: a token begins like the one before it, and its rest alone looks like none.
  const text = withoutTokens(stderr.toString('latin1').trim())
  const said = withoutTokens(displayBytes(Buffer.from(text, 'latin1'), undefined, cut))
  return said === '' ? `${how} and printed nothing: run it by hand` : `${how} and said "${said}"`
}

function aborted(what: string): PopfetchError {
  return new PopfetchError('ERR_ABORTED', `reading ${what}: stopped`, { scope: 'process', retry: 'soon' })
}

/** Longer than the certificates of all authorities together. */
const PEM_LIMIT_BYTES = 4_194_304

/** PEM of a file named in the configuration: what is trusted, or a key of ours (`isSecret`). */
export async function pem(file: string, isSecret = false): Promise<string> {
  try {
    const bytes = await readOwnFile(file, { uid: ourUid(), limitBytes: PEM_LIMIT_BYTES, isSecret })
    if (bytes === null) throw new Error('it is larger than 4 MiB: use another file')
    return bytes.toString('latin1')
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause)
    const text = `cannot read the certificate file ${display(file, 4096)}: ${display(reason, 4096)}`
    throw new PopfetchError('ERR_CONFIG', text, {
      scope: 'account',
      retry: 'never',
      cause,
    })
  }
}
