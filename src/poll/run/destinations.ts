// The destinations of a run: opened at first use, shared by all accounts, closed at the end. Knows which of them are down,
// so that nobody asks a broken one again in this poll (P4, D032). Configuration → the rooms below, nothing else.
import { hostname } from 'node:os'
import path from 'node:path'
import type { Account, Configuration, DestinationConfig, LmtpConfig, SmtpConfig } from '../../config/schema.ts'
import { stateFolder } from '../../config/paths.ts'
import { expandAccount, namesAccount } from '../../config/values/address.ts'
import { pem, resolveSecret } from '../../config/values/secret.ts'
import { Arena } from '../../deliver/arena.ts'
import type { Destination } from '../../deliver/destination.ts'
import { firstOf } from '../../deliver/first-of.ts'
import { type DestinationSettings, openDestination } from '../../deliver/index.ts'
import { Reserve } from '../../deliver/disk/reserve.ts'
import { sweepSpool } from '../../deliver/spool.ts'
import { display } from '../../display.ts'
import { asPopfetchError, DeliveryError, type PopfetchError } from '../../errors.ts'

/** One destination as one account uses it. */
export interface Target {
  /** As in the configuration, and in the ledger. */
  readonly name: string
  readonly destination: Destination
  /** Why it cannot take mail now; null: it can, as far as we know. Set by whoever finds out. */
  down: PopfetchError | null
}

type ServerSettings = Extract<DestinationSettings, { readonly type: 'smtp' | 'lmtp' }>

export class Destinations implements AsyncDisposable {
  readonly #configuration: Configuration
  readonly #env: NodeJS.ProcessEnv
  readonly #nowMs: () => number
  readonly #opened = new Map<string, Promise<Destination>>()
  readonly reserve = new Reserve()
  readonly arena = new Arena()
  /** Where spool files go: beside the ledger, never in /tmp (N031). */
  readonly spoolDirectory: string

  constructor(configuration: Configuration, env: NodeJS.ProcessEnv, nowMs: () => number) {
    this.#configuration = configuration
    this.spoolDirectory = path.join(stateFolder(configuration), 'spool')
    this.#env = env
    this.#nowMs = nowMs
  }

  /** Removes what a killed run left in the spool. */
  sweep(): Promise<void> {
    return sweepSpool(this.spoolDirectory, this.#nowMs())
  }

  /** The destination called `name`, for `account`. A name that the configuration no longer has (a message fixed earlier
   *  may still want it) gives a target that is down. */
  async target(name: string, account: Account): Promise<Target> {
    const config = this.#configuration.destinations.get(name)
    if (config === undefined) return { name, destination: gone(name), down: goneError(name) }
    const key = this.#usesAccount(config) ? `${name}\0${account.name}` : name
    let opening = this.#opened.get(key)
    if (opening === undefined) {
      opening = this.#open(config, account)
      this.#opened.set(key, opening)
    }
    try {
      return { name, destination: await opening, down: null }
    } catch (error) {
      this.#opened.delete(key)
      throw asPopfetchError(error, 'destination')
    }
  }

  async #open(config: DestinationConfig, account: Account): Promise<Destination> {
    const context = {
      hostName: hostname(),
      nowMs: this.#nowMs,
      reserve: this.reserve,
      spoolDirectory: this.spoolDirectory,
      env: this.#env,
    }
    switch (config.type) {
      case 'first-of': {
        const members = await Promise.all(config.of.map((name) => this.target(name, account)))
        return firstOf(config.name, members)
      }
      case 'command':
        return openDestination({ ...config, description: `command ${display(config.run[0] ?? '')}` }, context)
      case 'mbox': {
        const file = filled(config.path, account)
        return openDestination({ ...config, path: file, description: `mbox ${file}` }, context)
      }
      case 'maildir':
        return openDestination(
          { ...config, path: filled(config.path, account), description: `maildir ${filled(config.path, account)}` },
          context,
        )
      case 'smtp':
      case 'lmtp':
        return openDestination(await this.#server(config, account), context)
    }
  }

  async #server(config: SmtpConfig | LmtpConfig, account: Account): Promise<ServerSettings> {
    const { type, from, password, token } = config
    const source = token ?? password
    const socketPath = type === 'lmtp' ? config.socketPath : null
    const host = config.host ?? 'localhost'
    const port = config.port ?? 0
    return {
      ...config,
      protocol: type,
      host,
      port,
      socketPath,
      from: from.kind === 'address' ? { ...from, address: filled(from.address, account) } : from,
      ca: config.ca === null ? null : await pem(config.ca),
      to: config.to.map((address) => filled(address, account)),
      secret: source === null ? null : () => this.#secret(source, config),
      description: `${type} ${socketPath ?? `${host}:${port}`}`,
    }
  }

  async #secret(source: Parameters<typeof resolveSecret>[0], config: DestinationConfig): Promise<string> {
    const what = `the ${'token' in config && config.token !== null ? 'token' : 'password'} of destination ${config.name}`
    return await resolveSecret(source, { env: this.#env, signal: AbortSignal.timeout(60_000), what })
  }

  #usesAccount(config: DestinationConfig): boolean {
    if (config.type === 'first-of') {
      return config.of.some((name) => {
        const member = this.#configuration.destinations.get(name)
        return member !== undefined && this.#usesAccount(member)
      })
    }
    const places = 'to' in config ? [config.to, config.from] : 'path' in config ? config.path : ''
    return namesAccount(JSON.stringify(places))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const opened = await Promise.allSettled(this.#opened.values())
    const closing = opened.flatMap((result) =>
      result.status === 'fulfilled' ? [result.value[Symbol.asyncDispose]()] : [],
    )
    await Promise.allSettled(closing)
  }
}

function filled(text: string, account: Account): string {
  return expandAccount(text, account.name)
}

function goneError(name: string): DeliveryError {
  return new DeliveryError(
    `the destination ${name}, which this message was fixed to when it was first retrieved, is not configured any more: put it back`,
    { verdict: 'temporary', scope: 'destination', retry: 'never' },
  )
}

/** Stands for a destination that was taken out of the configuration while messages wait for it. */
function gone(name: string): Destination {
  const refuse = (): Promise<never> => Promise.reject(goneError(name))
  return {
    description: name,
    recipients: [],
    spool: null,
    // A message that may have arrived there is not to be sent again once it is back.
    remembers: false,
    ready: refuse,
    recall: refuse,
    census: () => Promise.resolve(null),
    deliver: refuse,
    [Symbol.asyncDispose]: () => Promise.resolve(),
  }
}
