// The directory for files of popfetch's own: nobody else may write to it, or what lies there could be exchanged (N031).
import fs from 'node:fs'
import { display } from '../display.ts'
import { DeliveryError } from '../errors.ts'

/** Makes it (0700) if need be. Throws DeliveryError when it is not ours alone, or what the system said. On this machine and
 *  seldom: the calls may stay on the loop. */
export function ownDirectory(directory: string): string {
  fs.mkdirSync(directory, { recursive: true, mode: 0o700 })
  const stats = fs.lstatSync(directory)
  const uid = process.getuid?.() ?? stats.uid
  if (!stats.isDirectory() || (stats.mode & 0o022) !== 0 || stats.uid !== uid) {
    throw new DeliveryError(`${display(directory)} is not a directory that only popfetch writes to: remove it`, {
      verdict: 'temporary',
      scope: 'message',
      retry: 'later',
    })
  }
  return directory
}
