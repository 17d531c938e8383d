// Opens a browser where there is a display. Whether it worked shows in what the person does: the address is printed in any case.
import { NO_INPUT, NO_OUTPUT, runProgram } from '../../program.ts'
import type { Surroundings } from '../surroundings.ts'

const LIMIT_MS = 20_000

/** Null: nobody would see it. */
export function browserOf({ env, signal }: Pick<Surroundings, 'env' | 'signal'>): ((address: string) => void) | null {
  const isMac = process.platform === 'darwin'
  const hasDisplay = isMac || Boolean(env['DISPLAY']) || Boolean(env['WAYLAND_DISPLAY'])
  if (!hasDisplay || env['SSH_CONNECTION'] !== undefined) return null
  const program = isMac ? 'open' : 'xdg-open'
  return (address) => {
    const opening = runProgram({
      command: [program, address],
      env,
      cwd: '/',
      stdin: NO_INPUT,
      stdout: NO_OUTPUT,
      stderr: NO_OUTPUT,
      limitMs: LIMIT_MS,
      signal,
    })
    // No such program, or no browser: the person opens the address that was printed.
    opening.catch(() => {})
  }
}
