// Several machines with popfetch on one ledger, as their users see them.
import { expect, test } from 'vitest'
import type { Machine } from './machine.ts'
import { severalMachines } from './several-machines.ts'

const several = severalMachines()

async function machine(name: string): Promise<Machine> {
  return await several.machine(name, { deliver: 'maildir:Mail' })
}

interface Shown {
  readonly machines: readonly { readonly machine: string; readonly accounts: number; readonly version: string }[]
}

test('each has a daemon of its own, and status shows all of them everywhere', async () => {
  const [nas, vps, laptop] = [await machine('nas'), await machine('vps'), await machine('laptop')]
  await nas.daemon()
  await vps.daemon()
  const { machines } = JSON.parse((await laptop.run('status', '--json')).stdout) as Shown
  expect(machines.map(({ machine: name }) => name).toSorted()).toEqual(['nas', 'vps'])
  expect(new Set(machines.map(({ version }) => version)).size).toBe(1)
  expect((await laptop.run('status')).stdout).toMatch(/^machine nas: running since .*\nmachine vps: /m)
})

test('a second daemon of one name is refused, and told what to set', async () => {
  const [nas, double] = [await machine('nas'), await machine('nas')]
  await nas.daemon()
  const { code, stderr } = await double.run('--daemon', '--foreground')
  expect(code).toBe(75)
  expect(stderr).toContain('set daemon.machine to a name of its own')
})

test('a wake from a machine without a daemon reaches the daemon of another one; where none runs it is 69', async () => {
  const [nas, laptop] = [await machine('nas'), await machine('laptop')]
  expect((await laptop.run('wake')).code).toBe(69)
  await nas.daemon()
  while ((await laptop.run('status', '--json')).stdout.includes('"lastPoll":null')) continue
  several.pop3.mailbox(several.user).add('Subject: letter\n\nbody\n', { uidl: 'new' })
  expect(await laptop.run('wake', 'home')).toMatchObject({ code: 0, stderr: '' })
  await several.pop3.journal.when(({ kind, user }) => kind === 'retr' && user === several.user)
  expect((await laptop.run('wake', 'nobody')).code).toBe(64)
})
