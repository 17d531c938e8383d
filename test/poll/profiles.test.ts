import { describe, expect, test } from 'vitest'
import { profiles, type Profile } from '../support/profiles.ts'
import { letter, Scene, upTo } from './scene.ts'

async function sceneOf(profile: Profile): Promise<Scene> {
  const scene = await Scene.create()
  profile.apply(scene.server)
  return scene
}

function fill(scene: Scene, profile: Profile, from: number, to: number): void {
  const mailbox = scene.server.mailbox('alice')
  for (let at = from; at < to; at++) mailbox.add(letter(at), { uidl: profile.uidl(at, letter(at)) })
}

describe.each(profiles)('mail from a server like $name', (profile) => {
  const few = profile.window ?? 30

  test('that stays there comes once', async () => {
    await using scene = await sceneOf(profile)
    fill(scene, profile, 0, few)
    expect(await scene.poll()).toMatchObject({ outcome: 'ok', delivered: few, deleted: 0, error: null })
    expect(await scene.poll()).toMatchObject({ outcome: 'ok', delivered: 0 })
    fill(scene, profile, few, few + 3)
    expect(await scene.poll()).toMatchObject({ outcome: 'ok', delivered: 3 })
    expect(await scene.poll()).toMatchObject({ outcome: 'ok', delivered: 0 })
    expect(scene.subjects()).toEqual(upTo(few + 3))
  })

  test('that is deleted comes once and goes, however many polls the server needs for that (P100)', async () => {
    await using scene = await sceneOf(profile)
    scene.account = ['delete: after-delivery']
    fill(scene, profile, 0, 50)
    const polls = profile.window === null ? 1 : 3
    for (const _ of upTo(polls)) expect(await scene.poll()).toMatchObject({ outcome: 'ok', error: null })
    expect(scene.subjects()).toEqual(upTo(50))
    fill(scene, profile, 50, 53)
    for (const _ of upTo(5)) await scene.poll()
    expect(scene.subjects()).toEqual(upTo(53))
    expect(await scene.poll()).toMatchObject({ outcome: 'ok', listed: 0, delivered: 0, deleted: 0 })
  })
})

test('a number that GNU mailutils gives a second time brings the second message too (P098)', async () => {
  await using scene = await Scene.create()
  scene.account = ['delete: after-delivery']
  const mailbox = scene.server.mailbox('alice')
  for (const at of upTo(4)) {
    mailbox.add(letter(at), { uidl: '1' })
    expect(await scene.poll()).toMatchObject({ outcome: 'ok', delivered: 1, deleted: 1 })
  }
  expect(scene.subjects()).toEqual(upTo(4))
})
