// What `popfetch stop` may be told: nothing of its own.
import type { Command } from '../../command.ts'

export const command: Command<object> = {
  usage: '',
  describe: 'End the background process',
  options: [],
  examples: [],
  notes: '',
  completes: { words: [], accounts: false },
  request: () => ({}),
}
