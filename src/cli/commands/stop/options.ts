// What `popfetch stop` may be told: nothing of its own.
import type { Command } from '../../command.ts'

export const command: Command<object> = {
  usage: '',
  describe: 'Stop the daemon',
  options: [],
  examples: [
    ['popfetch stop', 'Stop the daemon; exits with 0 also when none is running'],
    ['popfetch stop --state ~/other.db', 'Stop the daemon of another ledger'],
  ],
  exits: [0, 64, 75, 78],
  notes: '',
  completes: { words: [], accounts: false },
  request: () => ({}),
}
