// The environment of the programs of an account: via, before and after. The one rule: no secret is in it, and no word of a message.
import type { Account } from '../../config/schema.ts'
import { programEnvironment } from '../../program.ts'

/** What agents and desktops are reached by, beside the usual: such a program often is ssh. */
const AGENTS = ['SSH_AUTH_SOCK', 'XDG_RUNTIME_DIR', 'DBUS_SESSION_BUS_ADDRESS'] as const

export function accountEnvironment(
  { name, host, port }: Pick<Account, 'name' | 'host' | 'port'>,
  env: Readonly<Record<string, string | undefined>>,
): Record<string, string> {
  const agents = AGENTS.flatMap((variable) => (env[variable] === undefined ? [] : [[variable, env[variable]]]))
  return {
    ...programEnvironment(env),
    ...Object.fromEntries(agents),
    POPFETCH_ACCOUNT: name,
    POPFETCH_HOST: host,
    POPFETCH_PORT: String(port),
  }
}
