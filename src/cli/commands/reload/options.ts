// What `popfetch reload` may be told: nothing of its own.
import type { Command } from '../../command.ts'

export const command: Command<object> = {
  usage: '',
  describe: 'Let the background process read its configuration again',
  options: [],
  examples: [],
  notes: '',
  completes: { words: [], accounts: false },
  request: () => ({}),
}
