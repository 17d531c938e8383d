// `state forget --departed`: what belongs to accounts that the configuration no longer names.
import { readdirSync, writeFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { Scene } from '../../scene.ts'

/** Two accounts were polled, and one of them is no longer configured. */
async function departed(): Promise<Scene> {
  const scene = await Scene.start()
  await scene.configure({ work: {}, home: { user: 'bob' } })
  scene.server.mailbox('bob', 'secret').add('Subject: b\r\n\r\nbody\r\n', { uidl: 'b' })
  scene.fill('a')
  await scene.answered()
  await scene.configure({ work: {} })
  return scene
}

test('forgets all of them, names the copies that remain, and leaves the others alone', async () => {
  await using scene = await departed()
  writeFileSync(scene.path('state.db.daily.1'), '')
  expect(await scene.answered('state', 'forget', '--departed')).toBe(
    `home: forgotten, with 1 message\ncopies of the ledger still have them: ${scene.path('state.db.daily.1')}\n`,
  )
  expect((await scene.answered('state', 'export')).match(/"(?:account|name)":"\w+"/g)).not.toContain('"account":"home"')
  expect(await scene.answered('state', 'list', 'work')).toContain('a')
  expect(await scene.answered('state', 'forget', '--departed')).toBe('no account or destination to forget\n')
  expect(await scene.json('state', 'forget', '--departed')).toEqual({
    ok: true,
    forgotten: [],
    destinations: [],
    signIns: [],
    copies: [],
  })
})

test('forgets destinations that the configuration no longer names, with their pauses', async () => {
  await using scene = await Scene.start()
  const out = { type: 'maildir', path: 'Out' }
  await scene.configure({ work: { deliver: 'out' } }, { destinations: { out } })
  await scene.answered('pause', 'out')
  await scene.configure({ work: {} })
  expect(await scene.answered('state', 'forget', '--departed')).toBe('out: forgotten, a destination\n')
  await scene.configure({ work: { deliver: 'out' } }, { destinations: { out } })
  expect(await scene.json('status')).toMatchObject({ paused: [] })
})

test('--older spares what was configured lately', async () => {
  await using scene = await departed()
  expect(await scene.answered('state', 'forget', '--departed', '--older', '30d')).toBe(
    'no account or destination to forget\n',
  )
  expect(await scene.json('state', 'forget', '--departed')).toMatchObject({
    forgotten: [{ account: 'home', messages: 1 }],
  })
})

test.each([
  [['--departed', 'home'], 'expected popfetch state forget'],
  [['--departed', '--all-messages'], '--departed and --all-messages cannot be combined'],
  [['--departed', '--older', 'long'], '--older must be a duration'],
  [['home', 'b', '--older', '30d'], '--older requires --departed'],
])('%j is wrong usage', async (words, said) => {
  await using scene = await departed()
  const { code, stderr } = await scene.popfetch('state', 'forget', ...words)
  expect([code, stderr]).toEqual([64, expect.stringContaining(said) as string])
})

test('a configuration that cannot be read forgets nothing', async () => {
  await using scene = await departed()
  writeFileSync(scene.path('config.json'), '{ "accounts": { "work": { "host": 5 } }, "state": "state.db" }', {
    mode: 0o600,
  })
  const { code } = await scene.popfetch('state', 'forget', '--departed')
  expect(code).toBe(78)
  await scene.configure({ work: {} })
  expect(await scene.json('state', 'forget', '--departed')).toMatchObject({ forgotten: [{ account: 'home' }] })
  expect(readdirSync(scene.directory)).toContain('state.db')
})
