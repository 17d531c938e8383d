// Hands the large message to a command: command-victim.ts SPOOL PROGRAM ARGUMENT…; to be killed while that runs.
import { openCommand } from '../../../src/deliver/command/command.ts'
import { Reserve } from '../../../src/deliver/disk/reserve.ts'
import { attempt, large, message, never } from '../letters.ts'

const [spoolDirectory = '', ...run] = process.argv.slice(2)

await using command = openCommand(
  { run, env: {}, cwd: null, timeoutMs: 60_000, concurrency: 1, description: 'command' },
  { env: process.env, spoolDirectory, prefix: () => '', reserve: new Reserve() },
)
await command.deliver(attempt(), message(large()), never)
