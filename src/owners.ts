// Who is who among the owners of files: is a group the private one of a single user, is an owner root? Debian and others give
// each user a group of the same name and a umask of 002. A person's own files may be writable by a group of one. Judged as
// OpenSSH in Debian judges it, by /etc/passwd and /etc/group. Whom only a directory service knows is not seen there; then the
// group is not private.
import { readFileSync } from 'node:fs'
import { readFile } from 'node:fs/promises'

/** Longer than any such file that is kept by hand. */
const LIMIT_CHARACTERS = 16 * 1024 * 1024

/** Whether everybody in the group is us, root or the owner of the file (who is trusted already), and at least one is. */
export async function isPrivateGroup(gid: number, uid: number, owner: number, root = '/etc'): Promise<boolean> {
  // On macOS the two files do not list the people of the machine.
  if (process.platform === 'darwin') return false
  const [users, groups] = await Promise.all([linesOf(`${root}/passwd`), linesOf(`${root}/group`)])
  const trusted = new Set([0, uid, owner])
  const uidOf = new Map<string, number>()
  const members: (number | null)[] = []
  for (const [name = '', , user = '', group = ''] of users) {
    uidOf.set(name, Number(user))
    if (Number(group) === gid) members.push(Number(user))
  }
  const entries = groups.filter(([, , number = '']) => number !== '' && Number(number) === gid)
  if (entries.length === 0) return false
  for (const [, , , names = ''] of entries) {
    for (const name of names.split(',')) if (name.trim() !== '') members.push(uidOf.get(name.trim()) ?? null)
  }
  return members.length > 0 && members.every((member) => member !== null && trusted.has(member))
}

async function linesOf(file: string): Promise<readonly (readonly string[])[]> {
  try {
    const text = await readFile(file, 'latin1')
    if (text.length > LIMIT_CHARACTERS) return []
    return text.split('\n').map((line) => line.split(':'))
  } catch {
    return []
  }
}

let unmappedRoot: number | null = null
let isKnown = false

/** In a user namespace without root (a sandbox that maps only us) what is root's shows as nobody's. */
export function isRoot(owner: number): boolean {
  if (owner === 0) return true
  if (!isKnown && !isRootMapped()) unmappedRoot = Number(readSystem('/proc/sys/kernel/overflowuid') || '65534')
  isKnown = true
  return owner === unmappedRoot
}

function isRootMapped(): boolean {
  // user_namespaces(7): the first id here, the first id outside, how many.
  const ranges = readSystem('/proc/self/uid_map').trim().split('\n')
  return ranges.some((range) => range.trim() === '' || Number(range.trim().split(/\s+/)[0]) === 0)
}

function readSystem(file: string): string {
  try {
    return readFileSync(file, 'latin1')
  } catch {
    return ''
  }
}
