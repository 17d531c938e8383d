// The token that serves, or a new one. A renewal is noted durably before the provider is asked, and what it gives is durable before
// it is used. So a kill in between is seen by the next poll, which asks once more with the token it has.
import { createHash, randomBytes } from 'node:crypto'
import { display } from '../display.ts'
import { PopfetchError } from '../errors.ts'
import { redactor } from '../redact.ts'
import { meaningOf, Refused } from './answers.ts'
import { identityOf, scopesFor } from './client.ts'
import { endOf, endsSoon, isTold, untoldEnds, withTold } from './ends.ts'
import type { Granted } from './granted.ts'
import { Http } from './http.ts'
import { RequestFailure } from './request.ts'
import type { Client, SignInState, SignIns, Token, TokenRequest } from './oauth.ts'
import type { Provider } from './provider.ts'
import type { SignInRecord } from './record.ts'
import { type SignInStore, Store, type StoreContext } from './store.ts'

const MINUTE_MS = 60_000
/** An access token serves until so long before it ends. */
const SLACK_MS = MINUTE_MS
/** A provider's answer takes 30 s at most, and discovery before it as long. */
const LOCK_LIMIT_MS = 90_000

export interface SignInsContext extends StoreContext {
  /** Where the ledger is. */
  readonly folder: string
  /** Absent: files in that folder. */
  readonly store?: SignInStore
  readonly clients: ReadonlyMap<string, Client>
  readonly nowMs: () => number
  /** For tests: how long a provider may take, and another process that has the lock. */
  readonly limitMs?: number
  readonly lockLimitMs?: number
}

export class KeptSignIns implements SignIns {
  readonly #context: SignInsContext
  readonly #store: SignInStore
  /** A record that could not be written: it is written before anything else. `notedMs`: of the renewal whose answer it is. */
  readonly #unwritten = new Map<string, { readonly fresh: SignInRecord; readonly notedMs: number | null }>()
  /** How the last renewal failed: whoever waited for it meanwhile does not ask again. */
  readonly #failed = new Map<string, { readonly atMs: number; readonly error: unknown }>()
  /** Metadata of issuers, for as long as this lives. */
  readonly #providers = new Map<string, Provider>()

  constructor(context: SignInsContext) {
    this.#context = context
    this.#store = context.store ?? new Store(context.folder, context)
  }

  async tokenFor(request: TokenRequest): Promise<Token> {
    try {
      return await this.#tokenFor(request)
    } catch (error) {
      throw request.signal.aborted && !(error instanceof PopfetchError) ? stopped(request) : error
    }
  }

  async #tokenFor(request: TokenRequest): Promise<Token> {
    const client = this.#client(request.client)
    request.signal.throwIfAborted()
    const askedMs = performance.now()
    const kept = this.#serving(await this.#store.read(client.name, request.user), client, request)
    if (kept !== null) return kept
    const doing = `getting a token for ${display(request.user)} via ${client.name}`
    await using _lock = await this.#lock(client.name, request.user, doing, request.signal)
    await this.#writeLeftOver(client.name, request.user)
    const record = await this.#store.read(client.name, request.user)
    // Another process may have renewed it meanwhile.
    const renewed = this.#serving(record, client, request)
    if (renewed !== null) return renewed
    const key = keyOf(client.name, request.user)
    const failed = this.#failed.get(key)
    if (failed !== undefined && failed.atMs > askedMs) throw failed.error
    const admitted = await this.#admitted(record, client, request)
    const fresh = await this.#renew(client, request.user, admitted).catch((error: unknown) => {
      this.#failed.set(key, { atMs: performance.now(), error })
      throw error
    })
    this.#failed.delete(key)
    request.signal.throwIfAborted()
    return fresh
  }

  async state(client: string, user: string): Promise<SignInState> {
    const record = await this.#store.read(client, user)
    const configured = this.#context.clients.get(client)
    const isOther = record !== null && configured !== undefined && record.identity !== identityOf(configured)
    if (record === null || isOther) return { client, user, sinceMs: null, untilMs: null, state: 'none', error: null }
    const { sinceMs, endsMs } = record
    // A use that was configured later needs a sign-in of its own.
    const missing =
      configured === undefined ? [] : configured.uses.flatMap((use) => missingScopes(record, configured, use))
    const ended = record.ended ?? (missing.length === 0 ? null : { message: notFor(missing) })
    const state = ended !== null ? 'ended' : endsSoon(record, this.#context.nowMs()) ? 'ends-soon' : 'ok'
    return { client, user, sinceMs, untilMs: endsMs, state, error: ended?.message ?? null }
  }

  async mark(client: string, user: string): Promise<string | null> {
    const record = await this.#store.read(client, user)
    return record === null || record.ended !== null ? null : record.id
  }

  /** All kept sign-ins, also those of clients that are no longer configured. */
  async kept(): Promise<readonly { readonly client: string; readonly user: string }[]> {
    return (await this.#store.all()).map(({ client, user }) => ({ client, user }))
  }

  /** One line for each end that comes soon and of which nobody was told; from now on it counts as told. What cannot be noted is told
   *  another time. Never rejects but where the folder cannot be read. */
  async endings(): Promise<readonly string[]> {
    const lines: string[] = []
    for (const record of await this.#store.all()) {
      const configured = this.#context.clients.get(record.client)
      if (configured === undefined || record.ended !== null) continue
      const untold = await untoldEnds(record, configured, this.#context.nowMs())
      const ends = untold.map(({ endMs }) => endMs)
      if (ends.length > 0 && (await this.#tell(record, ends).catch(() => false)))
        lines.push(...untold.map(({ line }) => line))
    }
    return [...new Set(lines)]
  }

  async #tell({ client, user }: SignInRecord, ends: readonly number[]): Promise<boolean> {
    await using lock = await this.#store.lock(client, user, MINUTE_MS, new AbortController().signal)
    const record = lock === null ? null : await this.#store.read(client, user)
    if (record === null || ends.every((end) => isTold(record, end))) return false
    await this.#store.write(withTold(record, ends))
    return true
  }

  /** Before a person is asked: could a sign-in be kept? Rejects as `keep` would. */
  async prepare(clientName: string, user: string): Promise<void> {
    const { name } = this.#client(clientName)
    await using _lock = await this.#lock(name, user, `keeping the sign-in of ${display(user)} via ${name}`)
    await using _room = await this.#store.reserve(name, user)
  }

  /** What a person has just signed in to. Durable when it resolves; an older sign-in is replaced. */
  async keep(clientName: string, user: string, provider: Provider, granted: Granted): Promise<void> {
    const client = this.#client(clientName)
    await using _lock = await this.#lock(clientName, user, `keeping the sign-in of ${display(user)} via ${clientName}`)
    this.#unwritten.delete(keyOf(clientName, user))
    await this.#store.write(
      this.#recordOf(blank(client, user, this.#context.nowMs()), provider, granted, this.#context.nowMs()),
    )
  }

  /** Client credentials are asked for once more, whatever was kept of them: an administrator may have mended what was wrong. Rejects
   *  as `tokenFor`. */
  async again(request: TokenRequest): Promise<void> {
    const { client, user, signal } = request
    {
      await using _lock = await this.#lock(client, user, `asking for ${display(user)} via ${client} once more`, signal)
      const record = await this.#store.read(client, user).catch(() => undefined)
      if (record === undefined) await this.#store.remove(client, user)
      else if (record !== null) await this.#store.write({ ...record, accessToken: null, ended: null })
    }
    await this.tokenFor(request)
  }

  /** Forgets a sign-in. Gives its tokens, to be revoked, with `record` null where its file was not to be believed; null: there was
   *  none. Durable when it resolves. */
  async forget(client: string, user: string): Promise<{ readonly record: SignInRecord | null } | null> {
    await using _lock = await this.#lock(client, user, `forgetting the sign-in of ${display(user)} via ${client}`)
    const record = await this.#store.read(client, user).catch(() => null)
    this.#unwritten.delete(keyOf(client, user))
    return (await this.#store.remove(client, user)) ? { record } : null
  }

  /** The provider of a client. Rejects with RequestFailure where its metadata cannot be had. */
  async provider(name: string, signal: AbortSignal | null): Promise<Provider> {
    const client = this.#client(name)
    const known = this.#providers.get(name)
    if (known !== undefined) return known
    const { env, nowMs, limitMs } = this.#context
    const http = new Http({ env, nowMs, ...(limitMs === undefined ? {} : { limitMs }) })
    // At first use: a poll with a token that serves loads nothing that speaks to providers.
    const { Provider: AnyProvider } = await import('./provider.ts')
    const provider = await AnyProvider.open(client, http, signal)
    this.#providers.set(name, provider)
    return provider
  }

  /** Rejects with ERR_TIMEOUT, which says what was to be done. */
  async #lock(
    client: string,
    user: string,
    doing: string,
    signal: AbortSignal = new AbortController().signal,
  ): Promise<AsyncDisposable> {
    const lock = await this.#store.lock(client, user, this.#context.lockLimitMs ?? LOCK_LIMIT_MS, signal)
    if (lock !== null) return lock
    const text = `${doing}: another popfetch has kept it locked: trying again later`
    throw new PopfetchError('ERR_TIMEOUT', text, { scope: 'account', retry: 'soon' })
  }

  #client(name: string): Client {
    const client = this.#context.clients.get(name)
    if (client !== undefined) return client
    const text = `token: { oauth: ${display(name)} }: there is no such client in oauth:`
    throw new PopfetchError('ERR_CONFIG', text, { scope: 'account', retry: 'never' })
  }

  /** The kept token, if it serves; null: it is to be renewed, or cannot be. */
  #serving(record: SignInRecord | null, client: Client, { use, refused }: TokenRequest): Token | null {
    if (record === null || record.ended !== null || record.identity !== identityOf(client)) return null
    const { accessToken, obtainedMs, expiresMs, id } = record
    if (accessToken === null || accessToken === refused || missingScopes(record, client, use).length > 0) return null
    const nowMs = this.#context.nowMs()
    // A clock that was set back must not make a token last (S030).
    if (expiresMs - nowMs <= SLACK_MS || obtainedMs > nowMs + SLACK_MS) return null
    redactor.add(accessToken, `the token of ${record.user}`)
    return { token: accessToken, signIn: id }
  }

  /** The record from which a new token may be asked for. Rejects with ERR_AUTH when none may be. */
  async #admitted(record: SignInRecord | null, client: Client, request: TokenRequest): Promise<SignInRecord> {
    const { user, use } = request
    const isOwn = client.flow === 'client-credentials'
    const who = `${display(user)} via ${client.name}`
    if (record === null || record.identity !== identityOf(client)) {
      if (isOwn) return blank(client, user, this.#context.nowMs())
      const why =
        record === null ? 'nobody has signed in yet' : 'the sign-in that is kept belongs to another client or provider'
      throw needsPerson(`getting a token for ${who}: ${why}: popfetch auth`)
    }
    if (record.ended !== null) {
      const { why, message, clientMark } = record.ended
      if (why === 'grant' || (await markOf(client)) === clientMark) throw needsPerson(message)
    }
    const missing = isOwn ? [] : missingScopes(record, client, use)
    if (missing.length > 0) {
      throw needsPerson(`getting a token for ${who}: ${notFor(missing)}`)
    }
    if (record.refreshToken === null && !isOwn)
      throw needsPerson(
        `getting a token for ${who}: the provider gave no refresh token, and the access token has expired: popfetch auth`,
      )
    return record
  }

  /** Under the lock. */
  async #renew(client: Client, user: string, record: SignInRecord): Promise<Token> {
    // Before anything is noted: what fails here, fails before the provider could have acted.
    const provider = await this.provider(client.name, null)
    const { renewingMs, refreshToken } = record
    const noted: SignInRecord = { ...record, ended: null, renewingMs: renewingMs ?? this.#context.nowMs() }
    const isOwn = client.flow === 'client-credentials'
    await using room = await this.#store.reserve(client.name, user)
    if (!isOwn) await this.#store.write(noted)
    this.#context.step?.('noted')
    const askedMs = this.#context.nowMs()
    let granted: Granted
    try {
      granted =
        refreshToken === null || isOwn ? await provider.clientCredentials() : await provider.refresh(refreshToken)
    } catch (error) {
      throw await this.#failure(error, { client, provider, user, noted, wasInterrupted: renewingMs !== null })
    }
    this.#context.step?.('answered')
    const fresh = this.#recordOf(noted, provider, granted, askedMs)
    try {
      await this.#store.write(fresh, room)
    } catch (error) {
      this.#unwritten.set(keyOf(client.name, user), { fresh, notedMs: noted.renewingMs })
      throw error
    }
    return { token: granted.accessToken, signIn: fresh.id }
  }

  async #failure(error: unknown, { client, provider, user, noted, wasInterrupted }: Failed): Promise<unknown> {
    const doing = `renewing the sign-in of ${display(user)} via ${client.name}`
    if (error instanceof Refused) {
      // A proof by certificate has a time in it: with a wrong clock the refusal says nothing of the client.
      const isClock = client.certificate !== null && provider.http.clockText !== ''
      const meaning = meaningOf(error.refusal)
      const told = provider.refusal(error.refusal, doing, wasInterrupted ? 'interrupted' : 'renewing')
      const ended =
        meaning === 'grant' || (meaning === 'client' && !isClock)
          ? { why: meaning, message: told.message, clientMark: await markOf(client) }
          : null
      await this.#store.write({ ...noted, renewingMs: null, ended })
      return told
    }
    // It may have been received: the next renewal has to know. What was not received leaves no trace.
    const isHarmless = !(error instanceof RequestFailure) || error.harmless
    if (isHarmless && !wasInterrupted) await this.#store.write({ ...noted, renewingMs: null })
    if (!(error instanceof PopfetchError)) return error
    const { code, message, retry, pauseMs, cause } = error
    return new PopfetchError(code, `${doing}: ${message}${provider.http.clockText}`, {
      scope: 'account',
      retry,
      pauseMs,
      cause,
    })
  }

  #recordOf(before: SignInRecord, provider: Provider, granted: Granted, askedMs: number): SignInRecord {
    const { signInLifetimeMs, accessToken, refreshToken, lifetimeMs, person } = granted
    return {
      ...before,
      refreshToken: refreshToken ?? before.refreshToken,
      accessToken,
      obtainedMs: askedMs,
      expiresMs: askedMs + lifetimeMs,
      scopes: before.scopes.length === 0 ? provider.scopes : before.scopes,
      person: person ?? before.person,
      ...endOf(before, signInLifetimeMs === null ? null : askedMs + signInLifetimeMs),
      renewingMs: null,
      ended: null,
    }
  }

  /** Under the lock. */
  async #writeLeftOver(client: string, user: string): Promise<void> {
    const key = keyOf(client, user)
    const left = this.#unwritten.get(key)
    if (left === undefined) return
    const now = await this.#store.read(client, user)
    // Not over a sign-in that somebody made meanwhile, nor over a renewal that came later.
    if (now?.id === left.fresh.id && now.renewingMs === left.notedMs) await this.#store.write(left.fresh)
    this.#unwritten.delete(key)
  }
}

interface Failed {
  readonly client: Client
  readonly provider: Provider
  readonly user: string
  readonly noted: SignInRecord
  readonly wasInterrupted: boolean
}

function blank(client: Client, user: string, nowMs: number): SignInRecord {
  return {
    client: client.name,
    user,
    identity: identityOf(client),
    id: randomBytes(8).toString('hex'),
    sinceMs: nowMs,
    refreshToken: null,
    accessToken: null,
    obtainedMs: nowMs,
    expiresMs: 0,
    scopes: [],
    person: null,
    endsMs: null,
    slides: false,
    renewingMs: null,
    ended: null,
    told: [],
  }
}

function missingScopes({ scopes }: SignInRecord, client: Client, use: TokenRequest['use']): readonly string[] {
  return client.flow === 'client-credentials' ? [] : scopesFor(client, use).filter((scope) => !scopes.includes(scope))
}

/** Enough to notice that the client was changed, too little to guess its secret from. */
async function markOf(client: Client): Promise<number> {
  const secret = (await client.clientSecret?.()) ?? (await client.certificate?.())?.certificate ?? ''
  return createHash('sha256')
    .update(`${identityOf(client)}\0${secret}`)
    .digest()
    .readUInt16BE(0)
}

function keyOf(client: string, user: string): string {
  return `${client}\0${user}`
}

function notFor(missing: readonly string[]): string {
  const names = [...new Set(missing)].map((scope) => display(scope)).join(', ')
  return `the sign-in is not for ${names}: popfetch auth`
}

/** The reason of a signal that no error of ours gave. */
function stopped({ client, user }: TokenRequest): PopfetchError {
  const text = `getting a token for ${display(user)} via ${client} was interrupted`
  return new PopfetchError('ERR_ABORTED', text, { scope: 'account', retry: 'soon' })
}

function needsPerson(message: string): PopfetchError {
  return new PopfetchError('ERR_AUTH', message, { scope: 'account', retry: 'never' })
}
