// What a failed file system call means for a delivery (D010): nearly always that this destination cannot take mail now. One
// rule: an unknown error is temporary, so the mail stays on the server.
import { display } from '../../display.ts'
import { DeliveryError, errnoOf, type Retry, type Verdict } from '../../errors.ts'

interface Meaning {
  readonly says: string
  readonly advice: string
  readonly retry: Retry
}

const MEANINGS: Readonly<Record<string, Meaning>> = {
  ENOSPC: { says: 'no space left', advice: 'free some space', retry: 'later' },
  EDQUOT: { says: 'disk quota exceeded', advice: 'free some space or raise the quota', retry: 'later' },
  EROFS: { says: 'the file system is mounted read-only', advice: 'mount it read-write', retry: 'later' },
  EIO: { says: 'input/output error', advice: 'check the disk', retry: 'later' },
  EACCES: { says: 'permission denied', advice: 'check owner and permissions', retry: 'later' },
  EPERM: { says: 'operation not permitted', advice: 'check owner and permissions', retry: 'later' },
  ENOENT: { says: 'no such file or directory', advice: 'check the path and what else works there', retry: 'later' },
  ENOTDIR: { says: 'not a directory', advice: 'check the path', retry: 'never' },
  ELOOP: { says: 'a symbolic link stands in the way', advice: 'check the path', retry: 'never' },
  EXDEV: { says: 'tmp/ and new/ are on different file systems', advice: 'put them on one', retry: 'never' },
  ENAMETOOLONG: { says: 'the file system takes no names that long', advice: 'use another file system', retry: 'never' },
  EFBIG: { says: 'the file is too large for the file system or a limit', advice: 'check ulimit -f', retry: 'later' },
  EEXIST: { says: 'a file with that name is there already', advice: 'try again', retry: 'soon' },
  EMFILE: { says: 'too many open files', advice: 'lower concurrency or raise ulimit -n', retry: 'soon' },
  ENFILE: { says: 'too many open files on this machine', advice: 'try again', retry: 'soon' },
  ESTALE: { says: 'the file server lost the file', advice: 'try again', retry: 'soon' },
  ETIMEDOUT: { says: 'the file system does not answer', advice: 'check the file server', retry: 'later' },
}

/** `tried` reads like "maildir ~/Mail: cannot write a message". */
export function diskError(
  tried: string,
  thrown: unknown,
  facts: { readonly verdict?: Verdict; readonly scope?: 'message' | 'destination' } = {},
): DeliveryError {
  if (thrown instanceof DeliveryError) return thrown
  const errno = errnoOf(thrown)
  const meaning = errno === null ? undefined : MEANINGS[errno]
  const text = thrown instanceof Error ? thrown.message : String(thrown)
  // Node's own text repeats the path. Our own text (NoRoom) says how much is free, so it is quoted.
  const own = errno !== null && /^(E[A-Z0-9]+|Unknown system error -\d+): /.test(text) ? '' : ` (${display(text)})`
  const said = meaning === undefined ? display(text) : `${meaning.says}${own}: ${meaning.advice}`
  return new DeliveryError(`${tried}: ${said}`, {
    verdict: facts.verdict ?? 'temporary',
    scope: facts.scope ?? 'destination',
    retry: meaning?.retry ?? 'soon',
    cause: thrown,
  })
}
