import { readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { mortal } from '../support/mortal-ledger.ts'
import { letter, Scene, upTo } from './scene.ts'

function loseLedger(scene: Scene): void {
  rmSync(scene.path('state'), { recursive: true })
}

describe('a lost ledger (DESIGN 4.3)', () => {
  test('is rebuilt from the names in the Maildir, also of messages that were read', async () => {
    await using scene = await Scene.create()
    scene.fill(4)
    await scene.poll()
    const [read] = readdirSync(scene.path('inbox/new'))
    renameSync(scene.path(`inbox/new/${read}`), scene.path(`inbox/cur/${read}:2,RS`))
    loseLedger(scene)
    scene.fill(1, 4)
    expect(await scene.poll()).toMatchObject({ outcome: 'ok', listed: 5, new: 1, delivered: 1, skipped: 4 })
    expect(scene.subjects()).toEqual(upTo(5))
    expect(await scene.poll()).toMatchObject({ new: 0, delivered: 0 })
  })

  test('lets a message be deleted only after it was compared with the file, once', async () => {
    await using scene = await Scene.create()
    scene.fill(2)
    await scene.poll()
    loseLedger(scene)
    await scene.poll()
    scene.account = ['delete: after-delivery']
    scene.server.faults.ignoreDeletes = true
    expect(await scene.poll()).toMatchObject({ deleted: 2, delivered: 0 })
    expect(scene.count('RETR')).toBe(4)
    expect(await scene.poll()).toMatchObject({ deleted: 2 })
    expect(scene.count('RETR')).toBe(4)
    expect(scene.subjects()).toEqual([0, 1])
  })

  test('compares with the file that can be read when another destination is down', async () => {
    await using scene = await Scene.create()
    scene.destinations = ['inbox: { type: maildir, path: inbox }', 'copy: { type: maildir, path: copy }']
    scene.deliver = '[copy, inbox]'
    scene.fill(2)
    await scene.poll()
    loseLedger(scene)
    await scene.poll()
    scene.account = ['delete: after-delivery']
    rmSync(scene.path('copy'), { recursive: true })
    writeFileSync(scene.path('copy'), '')
    expect(await scene.poll()).toMatchObject({ deleted: 2 })
  })

  test('keeps a message on the server that differs from the file (P130)', async () => {
    await using scene = await Scene.create()
    scene.fill(1)
    await scene.poll()
    loseLedger(scene)
    const mailbox = scene.server.mailbox('alice')
    mailbox.messages.splice(0)
    mailbox.add(letter(5), { uidl: 'uid-0' })
    await scene.poll()
    scene.account = ['delete: after-delivery']
    expect(await scene.poll()).toMatchObject({ deleted: 0 })
    expect(scene.left()).toEqual(['uid-0'])
  })
})

describe.each(['confirm', 'begin', 'abandon'] as const)('a kill at %s', (change) => {
  test.each([true, false])(
    'while another message is found under a used UIDL loses nothing (S039; recorded: %s)',
    async (made) => {
      await using scene = await Scene.create()
      scene.fill(2)
      await scene.poll()
      loseLedger(scene)
      const mailbox = scene.server.mailbox('alice')
      mailbox.messages.splice(0)
      for (const number of [5, 6]) mailbox.add(letter(number), { uidl: `uid-${number - 5}` })
      await scene.poll()
      scene.account = ['delete: after-delivery']
      scene.ledgerOf = (ledger) => mortal(ledger, { change: 1, made }, [change])
      expect(await scene.poll()).toMatchObject({ deleted: 0 })
      scene.ledgerOf = (ledger) => ledger
      for (let polls = 0; polls < 4; polls++) await scene.poll()
      expect(scene.subjects()).toEqual([0, 1, 5, 6])
      expect(scene.left()).toEqual([])
    },
  )
})

describe('new UIDs for all (P080, P093, P097, S020)', () => {
  async function renumbered(): Promise<Scene> {
    const scene = await Scene.create()
    scene.fill(30)
    await scene.poll()
    for (const message of scene.server.mailbox('alice').messages) message.uidl = message.uidl.toUpperCase()
    scene.fill(1, 30)
    return scene
  }

  test('stop the account before anything is fetched', async () => {
    await using scene = await renumbered()
    expect(await scene.poll()).toMatchObject({ outcome: 'failed', error: { code: 'ERR_UIDS_CHANGED' } })
    expect(scene.count('RETR')).toBe(30)
  })

  test('are taken over by header with --accept-new-ids, and only what is new is fetched', async () => {
    await using scene = await renumbered()
    expect(await scene.poll({ acceptNewIds: true })).toMatchObject({ outcome: 'ok', new: 1, delivered: 1 })
    expect(scene.subjects()).toEqual(upTo(31))
    expect(await scene.poll()).toMatchObject({ outcome: 'ok', new: 0, delivered: 0 })
  })

  test('are taken over while the destination is down, so that nothing comes twice once it is back', async () => {
    await using scene = await renumbered()
    renameSync(scene.path('inbox'), scene.path('away'))
    writeFileSync(scene.path('inbox'), '')
    expect(await scene.poll({ acceptNewIds: true })).toMatchObject({ outcome: 'failed' })
    rmSync(scene.path('inbox'))
    renameSync(scene.path('away'), scene.path('inbox'))
    expect(await scene.poll()).toMatchObject({ outcome: 'ok', delivered: 1 })
    expect(scene.subjects()).toEqual(upTo(31))
  })

  test('are taken over by the header in the Maildir where a lost ledger knows none', async () => {
    await using scene = await Scene.create()
    scene.fill(30)
    await scene.poll()
    loseLedger(scene)
    await scene.poll()
    for (const message of scene.server.mailbox('alice').messages) message.uidl = message.uidl.toUpperCase()
    scene.fill(1, 30)
    expect(await scene.poll({ acceptNewIds: true })).toMatchObject({ outcome: 'ok', new: 1, delivered: 1 })
    expect(scene.subjects()).toEqual(upTo(31))
  })
})

test('what a crash cut off is recalled before new UIDLs are taken over, and does not come again', async () => {
  await using scene = await Scene.create()
  scene.fill(21)
  await scene.poll({ limit: 20 })
  // The message is in the Maildir, the ledger knows only that it was begun: as after a kill between link and record.
  await scene.forgetOutcome('uid-3')
  for (const message of scene.server.mailbox('alice').messages) message.uidl = message.uidl.toUpperCase()
  expect(await scene.poll({ acceptNewIds: true })).toMatchObject({ outcome: 'ok', delivered: 1 })
  expect(scene.subjects()).toEqual(upTo(21))
})
