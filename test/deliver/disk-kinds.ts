// Opens destinations on disk for the contract suite, in the test's own process and in child processes that are killed: nothing
// of vitest here. A new kind on disk needs one line.
import path from 'node:path'
import type { Destination } from '../../src/deliver/destination.ts'
import type { FileSystems } from '../../src/deliver/disk/filesystem.ts'
import type { Reserve } from '../../src/deliver/disk/reserve.ts'
import { openMaildir } from '../../src/deliver/maildir/maildir.ts'
import { openMbox } from '../../src/deliver/mbox/mbox.ts'
import { NOW_MS } from './letters.ts'
import { openFolder } from './own/folder.ts'
import { openSkeleton } from './skeleton.ts'

export interface DiskPlaceOptions {
  readonly root: string
  readonly fileSystems: FileSystems
  readonly reserve: Reserve
  /** Null: the usual limits. */
  readonly limitMs: number | null
}

export type DiskKind = (options: DiskPlaceOptions) => Destination

const context = { hostName: 'laptop', nowMs: () => NOW_MS, prefix: () => '' }

export const diskKinds = {
  maildir: ({ root, fileSystems, reserve, limitMs }) =>
    openMaildir(
      { path: root, create: false, lineEndings: 'lf', mode: 0o600, date: 'received', description: 'maildir place' },
      { ...context, reserve, fileSystems, ...(limitMs === null ? {} : { limitMs }) },
    ),
  mbox: ({ root, fileSystems, reserve, limitMs }) =>
    openMbox(
      { path: path.join(root, 'in'), trace: true, description: 'mbox place' },
      {
        ...context,
        reserve,
        fileSystem: fileSystems.offLoop,
        lockLimitMs: limitMs ?? 60_000,
        lockRetryMs: 1,
        ...(limitMs === null ? {} : { limitMs }),
      },
    ),
  own: ({ root, fileSystems, limitMs }) =>
    openFolder({ root, fileSystem: fileSystems.offLoop, limitMs, recalls: true }),
  skeleton: ({ root, fileSystems, reserve, limitMs }) =>
    openSkeleton(
      { path: root, description: 'skeleton place' },
      { reserve, fileSystem: fileSystems.offLoop, ...(limitMs === null ? {} : { limitMs }) },
    ),
} as const satisfies Readonly<Record<string, DiskKind>>
