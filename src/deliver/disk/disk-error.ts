// What a failed file system call means for a delivery (D010), by the table answers/disk.ts, and the words for it. One rule: an
// unknown error is temporary, so the mail stays on the server.
import { display } from '../../display.ts'
import { type AnswerFacts, DeliveryError, errnoOf, type Verdict } from '../../errors.ts'
import { concluded } from '../answers/conclusions.ts'
import { concludeDisk } from '../answers/disk.ts'

interface Words {
  readonly says: string
  readonly advice: string
}

const WORDS: Readonly<Record<string, Words>> = {
  ENOSPC: { says: 'no space left', advice: 'free some space' },
  EDQUOT: { says: 'disk quota exceeded', advice: 'free some space or raise the quota' },
  EROFS: { says: 'the file system is mounted read-only', advice: 'mount it read-write' },
  EIO: { says: 'input/output error', advice: 'check the disk' },
  EACCES: { says: 'permission denied', advice: 'check owner and permissions' },
  EPERM: { says: 'operation not permitted', advice: 'check owner and permissions' },
  ENOENT: { says: 'no such file or directory', advice: 'check the path' },
  ENOTDIR: { says: 'not a directory', advice: 'check the path' },
  EISDIR: { says: 'a directory', advice: 'check the path' },
  ELOOP: { says: 'a symbolic link is in the way', advice: 'check the path' },
  EXDEV: { says: 'tmp/ and new/ are on different file systems', advice: 'put them on one' },
  ENAMETOOLONG: { says: 'the file system does not allow names that long', advice: 'use another file system' },
  EFBIG: { says: 'the file is too large for the file system or a limit', advice: 'check ulimit -f' },
  EEXIST: { says: 'a file with that name already exists', advice: 'try again' },
  EMFILE: { says: 'too many open files', advice: 'lower concurrency or raise ulimit -n' },
  ENFILE: { says: 'too many open files on this machine', advice: 'try again' },
  ESTALE: { says: 'the file server lost the file', advice: 'try again' },
  ETIMEDOUT: { says: 'the file system does not answer', advice: 'check the file server' },
}

/** What an error of the file system says, and what to do about it; null: it has no words here. */
export function wordsOfErrno(errno: string | null): Words | null {
  return (errno === null ? undefined : WORDS[errno]) ?? null
}

const unreachable = concluded('DOWN', 'unknown')

/** `tried` reads like "maildir ~/Mail: cannot write a message". */
export function diskError(
  tried: string,
  thrown: unknown,
  facts: { readonly verdict?: Verdict; readonly scope?: AnswerFacts['scope'] } = {},
): DeliveryError {
  if (thrown instanceof DeliveryError) return thrown
  const errno = errnoOf(thrown)
  const words = wordsOfErrno(errno)
  const text = thrown instanceof Error ? thrown.message : String(thrown)
  // Node's own text repeats the path. Our own text (NoRoom) says how much is free, so it is quoted.
  const own = errno !== null && /^(E[A-Z0-9]+|Unknown system error -\d+): /.test(text) ? '' : ` (${display(text)})`
  const said = words === null ? display(text) : `${words.says}${own}: ${words.advice}`
  const known = concludeDisk(errno)
  // An error that no row knows (the wait was aborted, a limit) speaks of the disk, unless the caller was at work on a message.
  const answer = known.row === 'unknown' && facts.scope === undefined ? unreachable : known
  // The disk failed, and besides nobody knows what is there.
  const conclusion = facts.verdict === 'unknown' ? 'LOST' : answer.conclusion
  return new DeliveryError(`${tried}: ${said}`, { ...answer, conclusion, ...facts, step: 'disk', cause: thrown })
}
