// cosmiconfig asks for the home directory when it is loaded, and cannot be loaded without one. N046, a user without a home: neither
// HOME nor an entry in the password file. Imported before it, this file lends it one. Not for our own paths: paths.ts.
import { homedir } from 'node:os'

const before = process.env['HOME']

try {
  homedir()
} catch {
  process.env['HOME'] = '/'
}

/** Everything is as it was. Called in the same turn of the loop, so nobody else sees what was lent. */
export function takeBack(): void {
  if (before === undefined) delete process.env['HOME']
  else process.env['HOME'] = before
}
