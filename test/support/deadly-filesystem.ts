// A file system that kills its process at the n-th call that changes something; of a write, half is made before. For child
// processes of tests.
import { fileSystems, type FileSystem } from '../../src/deliver/disk/filesystem.ts'

const CHANGES: readonly string[] = [
  'open',
  'write',
  'ftruncate',
  'fsync',
  'link',
  'rename',
  'unlink',
  'mkdir',
  'fchmod',
]

export function deadlyFileSystem(fatalCall: number): FileSystem {
  let calls = 0
  return new Proxy(fileSystems.offLoop, {
    get(target, property: keyof FileSystem) {
      if (property === 'names') return (folder: string) => target.names(folder)
      if (property === 'atOnce') return target.atOnce
      return (...given: never[]) => {
        if (CHANGES.includes(property)) calls++
        const perform = target[property] as (...all: never[]) => unknown
        if (!CHANGES.includes(property) || calls !== fatalCall) return perform(...given)
        if (property !== 'write') process.kill(process.pid, 'SIGKILL')
        const [fd, bytes, offset, length] = given as unknown as [number, Uint8Array, number, number]
        return Promise.resolve(target.write(fd, bytes, offset, Math.ceil(length / 2))).then(() =>
          process.kill(process.pid, 'SIGKILL'),
        )
      }
    },
  })
}
