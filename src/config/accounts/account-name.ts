// The names of accounts.
import { foundText } from '../problem.ts'

/** Names of commands, of later versions too: `popfetch NAME` must always mean the account. */
const COMMANDS = new Set(
  'auth check migrate status verify state shell log stop reload wake pause resume import init config completion uninstall poll help version'.split(
    ' ',
  ),
)

/** What is wrong with the name of an account; null: nothing. */
export function nameFault(name: string): { readonly found: string; readonly expected: string } | null {
  if (COMMANDS.has(name))
    return { found: `the name ${name}`, expected: 'another one: this is the name of a popfetch command' }
  // In a path, {account} as `.` or `..` would be another directory. On a command line, `-x` would be an option.
  if (/^(?!\.\.?$)[A-Za-z0-9._][A-Za-z0-9._-]{0,99}$/.test(name)) return null
  const found = `the name ${foundText(name, [])}`
  return { found, expected: 'a name of letters, digits, ".", "_" and "-", which does not begin with "-"' }
}
