// Before a first poll: is there room for what is to come?
import { expect, onTestFinished, test } from 'vitest'
import { ImapServer } from '../../support/imap-server.ts'
import { Scene } from '../scene.ts'

async function scene(count: number) {
  const imap = await ImapServer.start({ capabilities: 'LITERAL+ UIDPLUS NAMESPACE AUTH=PLAIN QUOTA' })
  const at = await Scene.create()
  onTestFinished(async () => {
    await at[Symbol.asyncDispose]()
    await imap[Symbol.asyncDispose]()
  })
  at.destinations = [`inbox: { type: imap, host: 127.0.0.1, port: ${imap.port}, user: me, password: secret }`]
  imap.quota = { resource: 'MESSAGE', usage: 5, limit: 10 }
  at.fill(count)
  return { at, imap }
}

test('a first poll that would overfill a quota stops before anything is fetched, until --yes', async () => {
  const { at, imap } = await scene(6)
  const report = await at.poll()
  expect(report).toMatchObject({ outcome: 'failed', error: { code: 'ERR_NO_SPACE' } })
  expect(report.error?.message).toContain('has room for 5 more messages')
  expect(report.error?.message).toContain('popfetch --yes old-isp')
  expect(at.count('RETR')).toBe(0)
  expect(await at.poll({ yes: true })).toMatchObject({ outcome: 'ok', delivered: 6 })
  expect(imap.inbox.messages).toHaveLength(6)
})

test('later polls are not compared: what does not fit waits there', async () => {
  const { at } = await scene(2)
  expect(await at.poll()).toMatchObject({ outcome: 'ok', delivered: 2 })
  at.fill(9, 2)
  expect(await at.poll()).toMatchObject({ outcome: 'ok', delivered: 9 })
})

test('a server that answers QUOTA with an error stops nothing', async () => {
  const { at, imap } = await scene(6)
  imap.answer = ({ command }) => (command === 'GETQUOTAROOT' ? 'BAD what' : null)
  expect(await at.poll()).toMatchObject({ outcome: 'ok', delivered: 6 })
})

test('where the header decides, nobody knows what goes where, and nothing is compared', async () => {
  const { at } = await scene(6)
  at.account = ['route: [{ when: { subject: "letter*" }, deliver: other }]']
  at.destinations = [...at.destinations, 'other: { type: maildir, path: other }']
  expect(await at.poll()).toMatchObject({ outcome: 'ok', delivered: 6 })
})
