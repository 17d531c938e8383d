// What `popfetch uninstall` may be told: nothing but where the configuration and the ledger are.
import type { Command } from '../../command.ts'

export const command: Command<object> = {
  usage: '',
  describe: 'List what popfetch has on this machine, and the command that removes each',
  options: [],
  examples: [
    ['popfetch uninstall', 'Show the daemon, timers, sign-ins, files and secrets, with commands'],
    ['popfetch uninstall --config old.yaml', 'Show what belongs to another configuration'],
  ],
  exits: [0, 64],
  notes: `It removes nothing itself, and contacts no server. Run the commands that you want, in
the order in which they are printed: sign-ins are revoked while the ledger still knows
them. Folders with mail, or with files that are not popfetch's own, are named as kept
and have no command. It shows what belongs to the user who runs it.`,
  completes: { words: [], accounts: false },
  request: () => ({}),
}
