// A destination that takes mail by all signs, and fails when it is asked what it has: that costs only itself (P4).
import { renameSync, rmSync } from 'node:fs'
import { beforeEach, expect, test, vi } from 'vitest'
import type * as Find from '../../../src/deliver/maildir/find.ts'
import type * as ReadBack from '../../../src/deliver/maildir/read-back.ts'
import { SmtpSink } from '../../support/smtp-server.ts'
import { Scene, upTo } from '../scene.ts'

/** What fails in the Maildir called "inbox". */
const broken = vi.hoisted(() => new Set<string>())
const failing = vi.hoisted(() => (what: string, folder: string): void => {
  if (broken.has(what) && folder.includes('/inbox/')) throw Object.assign(new Error('EIO: i/o error'), { code: 'EIO' })
})

vi.mock('../../../src/deliver/maildir/find.ts', async (original) => {
  const find = await original<typeof Find>()
  return {
    ...find,
    InterruptedDeliveries: class extends find.InterruptedDeliveries {
      readonly folder: string

      constructor(...[fileSystem, folders]: ConstructorParameters<typeof find.InterruptedDeliveries>) {
        super(fileSystem, folders)
        this.folder = folders.new
      }

      override async find(intent: string): Promise<string | null> {
        failing('recall', this.folder)
        return await super.find(intent)
      }
    },
    async census(...args: Parameters<typeof find.census>) {
      failing('census', args[1].new)
      return await find.census(...args)
    },
  }
})

vi.mock('../../../src/deliver/maildir/read-back.ts', async (original) => {
  const back = await original<typeof ReadBack>()
  return {
    ...back,
    async reread(...args: Parameters<typeof back.reread>) {
      failing('reread', args[1].folders.new)
      return await back.reread(...args)
    },
  }
})

beforeEach(() => broken.clear())

async function twofold(): Promise<Scene> {
  const scene = await Scene.create()
  scene.destinations = ['inbox: { type: maildir, path: inbox }', 'copy: { type: maildir, path: copy }']
  scene.deliver = '[inbox, copy]'
  scene.fill(4)
  await scene.poll()
  return scene
}

test('an attempt that was cut off and cannot be looked for waits alone; the other destination gets what is new', async () => {
  await using scene = await twofold()
  await scene.forgetOutcome('uid-0')
  scene.fill(2, 4)
  broken.add('recall')
  const report = await scene.poll()
  expect(report).toMatchObject({
    outcome: 'failed',
    delivered: 0,
    deferred: 3,
    error: { code: 'ERR_DELIVERY', exit: 75 },
  })
  expect(report.troubles.map(({ destination }) => destination)).toEqual(['inbox'])
  expect([scene.subjects(), scene.subjects('copy')]).toEqual([upTo(4), upTo(6)])
  broken.clear()
  expect(await scene.poll()).toMatchObject({ outcome: 'ok', deferred: 0 })
  expect([scene.subjects(), scene.subjects('copy')]).toEqual([upTo(6), upTo(6)])
})

test('a lost ledger is learnt again from the destination that can be looked through, later from the other', async () => {
  await using scene = await twofold()
  rmSync(scene.path('state'), { recursive: true })
  scene.fill(2, 4)
  broken.add('census')
  const report = await scene.poll()
  expect(report).toMatchObject({ outcome: 'failed', error: { code: 'ERR_DELIVERY', exit: 75 } })
  expect([scene.subjects(), scene.subjects('copy')]).toEqual([upTo(4), upTo(6)])
  broken.clear()
  await scene.poll()
  expect(await scene.poll()).toMatchObject({ outcome: 'ok', deferred: 0, new: 0 })
  expect([scene.subjects(), scene.subjects('copy')]).toEqual([upTo(6), upTo(6)])
})

test('what cannot be read again at one destination is compared with what is at the other; new mail comes', async () => {
  await using scene = await twofold()
  rmSync(scene.path('state'), { recursive: true })
  await scene.poll()
  scene.account = ['delete: after-delivery']
  broken.add('reread')
  scene.fill(1, 4)
  await scene.poll()
  expect(scene.subjects('copy')).toEqual(upTo(5))
  // One copy that is the same is proof enough.
  expect(scene.left()).toEqual([])
  expect(scene.subjects()).toEqual(upTo(5))
})

test('an attempt of several as one waits while a later Maildir that may have it is gone (S045)', async () => {
  await using scene = await Scene.create()
  await using sink = await SmtpSink.start()
  scene.destinations = [
    `next: { type: smtp, host: 127.0.0.1, port: ${sink.port}, to: bob@example.net }`,
    'inbox: { type: maildir, path: inbox }',
  ]
  scene.deliver = '{ first-of: [next, inbox] }'
  sink.faults.dot = '554 5.7.1 no'
  scene.fill(3)
  await scene.poll()
  await scene.forgetOutcome('uid-1')
  sink.faults.dot = null
  renameSync(scene.path('inbox'), scene.path('away'))
  scene.fill(1, 3)
  expect(await scene.poll()).toMatchObject({ outcome: 'partial', delivered: 1, deferred: 1, error: { exit: 73 } })
  expect(sink.messages).toHaveLength(1)
  renameSync(scene.path('away'), scene.path('inbox'))
  expect(await scene.poll()).toMatchObject({ outcome: 'ok', deferred: 0 })
  expect(sink.messages).toHaveLength(1)
  expect(scene.subjects()).toEqual(upTo(3))
})
