// The skeleton keeps the contract of destinations, and each test of the contract notices a skeleton that breaks it.
import { setTimeout as pause } from 'node:timers/promises'
import { describe, expect, test } from 'vitest'
import type { FileSystem } from '../../src/deliver/disk/filesystem.ts'
import { type Mistake, MISTAKES } from './broken-skeletons.ts'
import { checks, destinationContract } from './contract.ts'
import { type DiskView, onDisk } from './disk-place.ts'
import type { Kind } from './place.ts'
import { asCrlf } from './scene.ts'
import { Skeleton } from './skeleton.ts'

const view: DiskView = {
  prepare: () => {},
  messages: (tree) => [...tree].filter(([file]) => !file.endsWith('.part')).map(([, bytes]) => asCrlf(bytes)),
  leftovers: (tree) => [...tree.keys()].filter((file) => file.endsWith('.part')),
}

destinationContract(onDisk('skeleton', view))

/** Far longer than the test that never ends took to get there. */
const HANGS_AFTER_MS = 1000

describe('the contract is noticed to be broken by a skeleton that', () => {
  test.each(MISTAKES)('$what', async (mistake) => {
    const run = checks[mistake.noticedBy].run(withMistake(mistake)).then(
      () => 'nobody noticed',
      () => 'noticed',
    )
    if (mistake.hangs === undefined) expect(await run).toBe('noticed')
    else expect(await Promise.race([run, pause(HANGS_AFTER_MS, 'it hangs')])).toBe('it hangs')
  })

  test('has one mistake at least for each test of the suite', () => {
    const noticing = new Set<string>(MISTAKES.map(({ noticedBy }) => noticedBy))
    expect(Object.keys(checks).filter((check) => !noticing.has(check))).toEqual([])
  })
})

function withMistake({ skeleton: Class = Skeleton, calls, limitMs: fixedMs, mostBytes, hangs }: Mistake): Kind {
  const kind = onDisk('skeleton', view, ({ root, fileSystems: { offLoop }, reserve, limitMs }) => {
    const fileSystem = calls === undefined ? offLoop : replaced(offLoop, calls(offLoop))
    const limit = fixedMs ?? limitMs
    const context = { reserve, fileSystem, ...(limit === null ? {} : { limitMs: limit }) }
    const destination = new Class({ path: root, description: 'skeleton place' }, context)
    // Nobody lets go what hangs.
    return hangs === undefined ? destination : Object.assign(destination, { [Symbol.asyncDispose]: async () => {} })
  })
  if (mostBytes === undefined) return kind
  return { ...kind, place: async (options) => Object.assign(await kind.place(options), { mostBytes }) }
}

function replaced(real: FileSystem, calls: Partial<FileSystem>): FileSystem {
  return new Proxy(real, { get: (target, name) => Reflect.get(name in calls ? calls : target, name) as unknown })
}
