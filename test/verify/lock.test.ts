// What somebody else has locked, or has not made, is looked at all the same, and left as it is.
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { Scene } from '../poll/scene.ts'

async function delivered(): Promise<Scene> {
  const scene = await Scene.create()
  scene.destinations = ['inbox: { type: mbox, path: inbox.mbox }']
  scene.fill(3)
  expect((await scene.poll()).delivered).toBe(3)
  return scene
}

test('an mbox that another program has locked is read without its lock', async () => {
  await using scene = await delivered()
  const lock = scene.path('inbox.mbox.lock')
  // Of a living process: nobody takes it over.
  writeFileSync(lock, `${process.pid}\n`)
  const [verdict] = await scene.verify({ digest: true })
  expect(verdict).toMatchObject({ agree: 3, missing: 0, differ: 0, read: 3, notes: [], error: null })
  expect(readFileSync(lock, 'utf8')).toBe(`${process.pid}\n`)
})

test('an mbox that is gone is not made, and what was in it is missing', async () => {
  await using scene = await delivered()
  rmSync(scene.path('inbox.mbox'))
  for (const digest of [false, true])
    expect((await scene.verify({ digest }))[0]).toMatchObject({ agree: 0, missing: 3, error: null })
  expect(existsSync(scene.path('inbox.mbox'))).toBe(false)
})

test('a lease is not asked for: a poll and a look go on side by side', async () => {
  await using scene = await delivered()
  await using ledger = await scene.ledger()
  await using lease = await ledger.lease(scene.name)
  expect(lease).not.toBe(null)
  expect((await scene.verify())[0]).toMatchObject({ agree: 3, error: null })
})
