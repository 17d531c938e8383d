// A machine that dies in the middle of a delivery into a folder of its own (DESIGN 4.6): no other machine takes what it cannot see for
// not there. The message waits for its machine, for a person, or for a folder that is said to be shared.
import { beforeEach, expect, test } from 'vitest'
import type { Daemon, Machine } from './machine.ts'
import { severalMachines } from './several-machines.ts'

const several = severalMachines()
beforeEach(() => void several.pop3.mailbox(several.user).add('Subject: letter\n\nbody\n', { uidl: 'letter' }))

/** `keys`: of its folder. */
async function machine(name: string, keys: object = {}, top: object = {}): Promise<Machine> {
  const destinations = { inbox: { type: 'maildir', path: 'Mail', ...keys } }
  return await several.machine(name, { deliver: 'inbox', delete: 'after-delivery' }, { destinations, ...top })
}

/** The daemon of `made` dies while it delivers: the attempt is recorded, and the message never comes. */
async function killedAtWork(made: Machine): Promise<void> {
  several.pop3.faults.onCommand = (verb) => (verb === 'RETR' ? 'stall' : 'serve')
  const { pid, ended }: Daemon = await made.daemon()
  await several.pop3.journal.when(
    ({ kind, text, user: of }) => kind === 'command' && of === several.user && text.startsWith('RETR'),
  )
  process.kill(pid, 'SIGKILL')
  await ended
  several.pop3.faults.onCommand = null
}

interface Polled {
  readonly accounts: readonly {
    readonly outcome: string
    readonly delivered: number
    readonly deferred: number
    readonly error: { readonly message: string } | null
  }[]
}

/** Once nobody is at work any more. */
async function poll(made: Machine): Promise<{ readonly code: number | null } & Polled['accounts'][number]> {
  for (;;) {
    const { code, stdout } = await made.run('--json', 'home')
    const [account] = (JSON.parse(stdout) as Polled).accounts
    if (account !== undefined && account.outcome !== 'busy') return { code, ...account }
  }
}

const left = (): readonly string[] => several.pop3.mailbox(several.user).messages.map(({ uidl }) => uidl)

test('what it began waits for it, on each other machine, until it polls again: then it is delivered there, once', async () => {
  const [nas, vps] = [await machine('nas'), await machine('vps')]
  await killedAtWork(nas)
  const waits = { code: 75, outcome: 'partial', delivered: 0, deferred: 1 }
  expect(await poll(vps)).toMatchObject(waits)
  expect((await poll(vps)).error?.message).toContain('cut off on the machine nas')
  expect((await vps.run('state', 'explain', 'home', 'letter')).stdout).toContain('on nas')
  expect((await vps.run('status')).stdout).toMatch(
    /^home: 1 message waiting for the machine nas, where its delivery was cut off$/m,
  )
  expect([await vps.mail(), await nas.mail(), left()]).toEqual([[], [], ['letter']])
  expect(await poll(nas)).toMatchObject({ code: 0, delivered: 1 })
  expect([(await nas.mail()).length, await vps.mail(), left()]).toEqual([1, [], []])
})

test('its daemon looks for that as soon as it is back, though others have polled meanwhile and nothing is due', async () => {
  const [nas, vps] = [await machine('nas'), await machine('vps')]
  await killedAtWork(nas)
  await vps.daemon()
  expect(await poll(vps)).toMatchObject({ delivered: 0, deferred: 1 })
  await nas.quietDaemon()
  await several.pop3.journal.when(({ kind, user: of }) => kind === 'commit' && of === several.user)
  expect([(await nas.mail()).length, await vps.mail(), left()]).toEqual([1, [], []])
})

test('a person gives it up, on the machine that is to have it', async () => {
  const [nas, vps] = [await machine('nas'), await machine('vps')]
  await killedAtWork(nas)
  expect(await poll(vps)).toMatchObject({ delivered: 0, deferred: 1 })
  expect((await vps.run('state', 'retry', '--here')).stdout).toMatch(/^home: 1 message due at the next poll; /)
  expect((await vps.run('state', 'retry', '--here')).stdout).toBe('nothing is waiting\n')
  expect(await poll(vps)).toMatchObject({ code: 0, delivered: 1 })
  expect([(await vps.mail()).length, await nas.mail(), left()]).toEqual([1, [], []])
})

test('where all machines see the folder, another one looks for it and delivers it', async () => {
  const nas = await machine('nas', { shared: true })
  const vps = await machine('vps', { shared: true, path: nas.maildir })
  await killedAtWork(nas)
  expect(await poll(vps)).toMatchObject({ code: 0, delivered: 1 })
  expect([(await nas.mail()).length, left()]).toEqual([1, []])
})
