// Is a process that left a mark somewhere still at work? A number alone does not tell: after a restart it belongs to another
// one, in a container to every run. On Linux a process is known by when it started in which boot; elsewhere by its number.
import fs from 'node:fs'
import { errnoOf } from '../errors.ts'

/** '' where the system does not tell. */
export function identityOf(pid: number): string {
  try {
    const boot = fs.readFileSync('/proc/sys/kernel/random/boot_id', 'latin1').trim()
    const stat = fs.readFileSync(`/proc/${pid}/stat`, 'latin1')
    // proc(5): the name in parentheses may hold anything; field 22, the 20th after it, is the start time.
    const started = stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19]
    return started === undefined ? '' : `${boot} ${started}`
  } catch {
    return ''
  }
}

/** `identity`: of then, '' for not known. */
export function isRunning(pid: number, identity: string): boolean {
  try {
    process.kill(pid, 0)
  } catch (error) {
    return errnoOf(error) !== 'ESRCH'
  }
  return identity === '' || identityOf(pid) === identity
}
