// Opens a browser where there is a display. Whether it worked shows in what the person does: the address is printed in any case.
// Where there is no such program, or no browser, the person opens it.
import { launchProgram } from '../../program.ts'
import type { Surroundings } from '../surroundings.ts'

/** Null: nobody would see it. */
export function browserOf({ env }: Pick<Surroundings, 'env'>): ((address: string) => void) | null {
  const isMac = process.platform === 'darwin'
  const hasDisplay = isMac || Boolean(env['DISPLAY']) || Boolean(env['WAYLAND_DISPLAY'])
  if (!hasDisplay || env['SSH_CONNECTION'] !== undefined) return null
  const program = isMac ? 'open' : 'xdg-open'
  // It may be the browser itself that runs, as long as the person has it open.
  return (address) => launchProgram([program, address], env)
}
