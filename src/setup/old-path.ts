// A path of an old file as the new one has it. What an old tool expanded is expanded or written as `~`. What it did not expand, or
// what popfetch cannot know, is told. A folder whose name begins with a quote, `$` or `~name` is what nobody meant. Pure.
import { display } from '../display.ts'
import type { Doubts } from './doubts.ts'

/** `~` and `$HOME` in front; `env`: a tool that expanded other variables, too (getmail); null: it did not. A path that is not
 *  certain stays as it is and is a doubt: the check of the new file refuses it. */
export function oldPath(
  text: string,
  doubts: Doubts,
  env: Readonly<Record<string, string | undefined>> | null = null,
): string {
  const home = text.replace(/^(?:\$HOME|\$\{HOME\})(?=\/|$)/, '~')
  const filled =
    env === null
      ? home
      : home.replace(/\$(?:\{(\w+)\}|(\w+))/g, (whole, braced: string | undefined, bare: string | undefined) => {
          return env[braced ?? bare ?? ''] ?? whole
        })
  if (filled === '' || /^~[^/]|[$"'`]/.test(filled))
    doubts.note(`path ${display(filled, 60)}: popfetch does not know which folder this is, write it out`)
  return filled
}
