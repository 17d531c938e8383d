import { expect, test } from 'vitest'
import { changesBetween } from '../../src/daemon/changes.ts'
import { Scene } from './scene.ts'

test('what changed is told by name, also a password', async () => {
  await using scene = await Scene.create()
  const inbox = { type: 'maildir', path: 'Mail' }
  scene.configure({ a: {}, b: {}, c: { password: 'one' } }, { destinations: { inbox, old: inbox } })
  const before = await scene.load()
  expect(changesBetween(before, await scene.load())).toEqual([])
  const destinations = { inbox: { ...inbox, mode: '0640' }, other: { type: 'maildir', path: 'Other' } }
  scene.configure({ a: {}, c: { password: 'two' }, d: {} }, { destinations, concurrency: 3, log: { level: 'debug' } })
  expect(changesBetween(before, await scene.load())).toEqual([
    'account d added',
    'account b removed',
    'account c changed',
    'destination other added',
    'destination old removed',
    'destination inbox changed',
    'concurrency changed',
    'log changed',
  ])
})
