// What a failed call to the file system means for a delivery to a Maildir or an mbox: the table. The rule: a disk is the
// destination's, never the message's, but for a file that is too large.
import { concluded, type Concluded } from './conclusions.ts'

/** Errno names, and three words of ours. `RESERVE`: the message would leave too little free. `GONE`: a Maildir that was
 *  delivered to has disappeared (S045). `SILENCE`: the disk does not answer. */
const ROOM = new Set(['ENOSPC', 'EDQUOT', 'RESERVE'])
const ACT = new Set([
  'EACCES',
  'EPERM',
  'EROFS',
  'ENOENT',
  'ENOTDIR',
  'ELOOP',
  'EXDEV',
  'ENAMETOOLONG',
  'EISDIR',
  'GONE',
])
/** They pass, perhaps: looked at again at each poll, as what somebody must mend, but no reason to call for somebody. */
const PASSING = new Set(['EIO', 'ESTALE', 'ETIMEDOUT', 'EMFILE', 'ENFILE', 'SILENCE', 'LOCKED'])

/** `errno`: its name, or one of the words above; null: something else, which nobody knows. */
export function concludeDisk(errno: string | null): Concluded {
  if (errno !== null && ROOM.has(errno)) return concluded('ROOM', errno, { exit: 73 })
  if (errno !== null && ACT.has(errno)) return concluded('ACT', errno)
  if (errno !== null && PASSING.has(errno)) return concluded('ACT', errno, { exit: 75 })
  if (errno === 'EFBIG') return concluded('FORM', errno)
  return concluded('TEMP', 'unknown')
}
