// Delivers SMALL to the mbox named and dies at the n-th call that changes something there: half of it made when it is a write.
import { fileSystems, type FileSystem } from '../../../src/deliver/disk/filesystem.ts'
import { openMbox } from '../../../src/deliver/mbox/mbox.ts'
import { Reserve } from '../../../src/deliver/disk/reserve.ts'
import { message, never, NOW_MS, origin, SMALL } from '../letters.ts'

const [file = '', fatal = ''] = process.argv.slice(2)
const CHANGES: readonly string[] = ['open', 'write', 'ftruncate', 'fsync', 'link', 'rename', 'unlink']
let calls = 0

const fileSystem: FileSystem = new Proxy(fileSystems.offLoop, {
  get(target, property: keyof FileSystem) {
    return (...given: never[]) => {
      if (CHANGES.includes(property)) calls++
      const perform = target[property] as (...all: never[]) => unknown
      if (!CHANGES.includes(property) || calls !== Number(fatal)) return perform(...given)
      if (property !== 'write') process.kill(process.pid, 'SIGKILL')
      const [fd, bytes, offset, length] = given as unknown as [number, Uint8Array, number, number]
      return Promise.resolve(target.write(fd, bytes, offset, Math.ceil(length / 2))).then(() =>
        process.kill(process.pid, 'SIGKILL'),
      )
    }
  },
})

await using mbox = openMbox(
  { path: file, trace: true, description: 'mbox' },
  {
    hostName: 'laptop',
    nowMs: () => NOW_MS,
    prefix: () => '',
    reserve: new Reserve(),
    fileSystem,
  },
)
await mbox.deliver({ intent: '00112233aabbccdd', origin: origin(), recipient: '' }, message(SMALL), never)
