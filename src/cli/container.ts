// popfetch in a container that was started as root, as those of a NAS are, whose page for containers has no field for a user.
// bin/popfetch.ts calls this before anything is read: from then on popfetch is the user of PUID and PGID. Nothing that a server, a
// configuration or a sender writes reaches root. What root has to do first is done here: giving that user the folders of the image.
// Loaded in containers alone.
import { lchownSync, lstatSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { isUmask } from '../environment.ts'
import { EXIT_CONFIGURATION } from '../status/exit.ts'

/** Where the image keeps the ledger and what lies beside it, and where mail goes. */
const STATE = '/state'
const MAIL = '/mail'
/** What popfetch makes in /state, and the folders among it. */
const OURS = /^(?:state\.db|popfetch\.log|oauth$|spool$|migrations$|\.cache$|\.config$)/
/** Two ids mean something else to the kernel: -1, and whoever is not known. */
const LAST_ID = 4_294_967_293

/** The process, or a test's. */
export interface Root {
  readonly env: Record<string, string | undefined>
  readonly stderr: { write(text: string): unknown }
  getuid?(): number
  setgroups?(groups: readonly number[]): void
  setgid?(id: number): void
  setuid?(id: number): void
  exit(code: number): never
}

/** As root: becomes the user of PUID and PGID (of PUID, if that is alone), without any other group. Otherwise, and without PUID,
 *  nothing changes. Ends the process with 78 where one of them or UMASK is wrong, or the container forbids it. */
export function becomeUser(
  self: Root,
  places: { readonly state: string; readonly mail: string } = { state: STATE, mail: MAIL },
): void {
  const { env } = self
  const refuse = (text: string): never => {
    self.stderr.write(`popfetch: starting in a container: ${text}\n`)
    return self.exit(EXIT_CONFIGURATION)
  }
  const { PUID: user = '', PGID: group = '', UMASK: umask = '' } = env
  if (umask !== '' && !isUmask(umask)) refuse(`found UMASK=${shown(umask)}, expected three octal digits such as 022`)
  for (const [name, text] of [
    ['PUID', user],
    ['PGID', group],
  ] as const) {
    if (text !== '' && !isId(text)) refuse(`found ${name}=${shown(text)}, expected a number such as 1000`)
  }
  if (self.getuid?.() !== 0) return
  if (user === '' && group !== '') refuse('found PGID without PUID: set both')
  if (user === '') return
  const [uid, gid] = [Number(user), Number(group === '' ? user : group)]
  try {
    if (uid !== 0) giveFolders(places, uid, gid)
    self.setgroups?.([])
    self.setgid?.(gid)
    self.setuid?.(uid)
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    refuse(
      `it is not allowed to become the user of PUID=${uid} (${code ?? String(error)}): leave PUID and PGID out and run it as that user (--user ${uid}:${gid}), or add the capabilities SETUID and SETGID`,
    )
  }
  // What is root's is none of ours.
  if (env['HOME'] === '/root') delete env['HOME']
}

/** A new volume is root's, or that of the user before. Mail that lies there is never touched. What cannot be given is told when it
 *  is used. */
function giveFolders(
  { state, mail }: { readonly state: string; readonly mail: string },
  uid: number,
  gid: number,
): void {
  if (ownerOf(state) !== uid) {
    for (const name of namesIn(state)) if (OURS.test(name)) giveAll(join(state, name), uid, gid)
    give(state, uid, gid)
  }
  if (ownerOf(mail) === 0 && namesIn(mail).length === 0) give(mail, uid, gid)
}

function giveAll(path: string, uid: number, gid: number): void {
  give(path, uid, gid)
  for (const name of namesIn(path)) giveAll(join(path, name), uid, gid)
}

/** Through no link. */
function give(path: string, uid: number, gid: number): void {
  try {
    lchownSync(path, uid, gid)
  } catch {
    // A share of another machine may allow nobody to.
  }
}

/** Null: there is none. */
function ownerOf(folder: string): number | null {
  try {
    const stats = lstatSync(folder)
    return stats.isDirectory() ? stats.uid : null
  } catch {
    return null
  }
}

/** [] also for what is no folder, and for a link to one. */
function namesIn(folder: string): readonly string[] {
  try {
    return lstatSync(folder).isDirectory() ? readdirSync(folder) : []
  } catch {
    return []
  }
}

function isId(text: string): boolean {
  return /^\d{1,10}$/.test(text) && Number(text) <= LAST_ID
}

/** It is the user's own word, and yet may be anything. */
function shown(text: string): string {
  return JSON.stringify(text.slice(0, 40))
}
