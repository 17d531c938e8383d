// Somebody who runs `popfetch init` beside a POP3 server that has one message for alice. Nothing is looked up.
import { setUp } from '../../../../src/cli/commands/init/action.ts'
import type { InitInvocation } from '../../../../src/cli/commands/init/options.ts'
import type { Dialogue } from '../../../../src/cli/terminal/dialogue.ts'
import type { Lookups } from '../../../../src/setup/discover.ts'
import { Pop3Server } from '../../../support/pop3-server.ts'
import { Person } from '../../person.ts'
import { understood } from '../../understood.ts'

export const PASSWORD = 'correct horse battery'

export const offline: Lookups = { srv: () => Promise.resolve(null), page: () => Promise.resolve(null) }

/** The caller owns both. */
export async function arrive(): Promise<{ readonly person: Person; readonly server: Pop3Server }> {
  const person = await Person.arrive()
  const server = await Pop3Server.start()
  server.mailbox('alice', PASSWORD).add('Subject: 1\n\nbody\n', { uidl: 'u1' })
  return { person, server }
}

/** Resolves to the exit code. `dialogue` null: there is no terminal. */
export async function initAs(
  person: Person,
  argv: readonly string[],
  dialogue: Dialogue | null,
  lookups: Lookups = offline,
): Promise<number> {
  const invocation = (await understood(['init', ...argv])) as unknown as InitInvocation
  return await setUp(invocation, person.surroundings(), { dialogue, lookups })
}
