// From an account of the configuration to a session that has said what it can do. Certificates are read here, at the last
// moment.
import { requireSound } from '../../config/accounts/sound.ts'
import type { Account } from '../../config/schema.ts'
import { commandName, pem } from '../../config/values/secret.ts'
import type { Log } from '../../log.ts'
import type { ProxyOptions } from '../../pop3/network/proxy.ts'
import type { ViaOptions } from '../../pop3/network/via.ts'
import type { Capabilities } from '../../pop3/wire/capabilities.ts'
import type { ListingRoom } from '../../pop3/listing/room.ts'
import { Session } from '../../pop3/session.ts'
import { redactor } from '../../redact.ts'
import type { Workarounds } from './workarounds.ts'

export interface ConnectContext {
  readonly log: Log
  readonly signal: AbortSignal
  readonly env: Readonly<Record<string, string | undefined>>
  readonly listings?: ListingRoom
  /** What the server is better not asked to do (P032, P143). */
  readonly workarounds: Pick<Workarounds, 'pipelining' | 'capabilities'>
}

/** A session up to its capabilities, not signed in yet. `remembered`: of another day; null: the server is asked. */
export async function connect(
  account: Account,
  { log, signal, env, workarounds, listings }: ConnectContext,
  remembered: Capabilities | null = null,
): Promise<Session> {
  requireSound(account)
  const { host, port, tls, timeoutMs, ca, pin, clientCert, clientKey, tlsName, name } = account
  const [caPem, certPem, keyPem] = await Promise.all(
    [ca, clientCert, clientKey].map(async (file) => (file === null ? null : await pem(file, file === clientKey))),
  )
  return await Session.open(
    {
      host,
      port,
      timeoutMs,
      tlsMode: tls,
      proxy: proxyOf(account),
      via: await viaOf(account, env),
      tls: { ca: caPem ?? null, pin, clientCert: certPem ?? null, clientKey: keyPem ?? null, name: tlsName },
      pipelining: workarounds.pipelining && account.pipelining === 'auto',
      askCapabilities: workarounds.capabilities,
      remembered: workarounds.capabilities ? remembered : null,
      ...(listings === undefined ? {} : { listings }),
      trace: log.wire(name),
    },
    signal,
  )
}

async function viaOf(account: Account, env: ConnectContext['env']): Promise<ViaOptions | null> {
  const { via } = account
  if (via === null) return null
  const { accountEnvironment } = await import('./account-environment.ts')
  return { command: via, name: commandName(via), env: accountEnvironment(account, env) }
}

function proxyOf({ name, proxy }: Account): ProxyOptions | null {
  if (proxy === null) return null
  const password = proxy.password?.reveal() ?? null
  if (password !== null) redactor.add(password, `the proxy of ${name}`)
  return { ...proxy, password }
}
