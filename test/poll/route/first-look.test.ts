// Of several accounts with one destination that nobody knows yet, the first finds out whether it takes mail. The others wait for that, and
// then look all together.
import { writeFileSync } from 'node:fs'
import { setImmediate as turn } from 'node:timers/promises'
import { afterEach, expect, test, vi } from 'vitest'
import { loadConfiguration } from '../../../src/config/load.ts'
import { fileSystems, type FileSystem } from '../../../src/deliver/disk/filesystem.ts'
import { openLedger } from '../../../src/ledger/sqlite/open.ts'
import { silentLog } from '../../../src/log.ts'
import { pollAll } from '../../../src/poll/poller.ts'
import { Doors } from '../../../src/poll/rests/doors.ts'
import { Scene } from '../scene.ts'
import { BY_ITSELF } from '../../support/poll-options.ts'

const USERS = ['ann', 'eve', 'ida', 'joe']

afterEach(() => void vi.restoreAllMocks())

/** Accounts that have asked for the right to find out, and those that were let in. */
function watchedDoor() {
  const seen = { asked: 0, let: 0 }
  // eslint-disable-next-line @typescript-eslint/unbound-method -- called on the same object below
  const { claim } = Doors.prototype
  vi.spyOn(Doors.prototype, 'claim').mockImplementation(async function (this: Doors, place, signal) {
    seen.asked++
    const given = await claim.call(this, place, signal)
    seen.let++
    return given
  })
  return seen
}

test('those that waited while one account found out do not find out once more, one after the other', async () => {
  await using scene = await Scene.create()
  const { host, port, tls } = scene.server
  for (const user of USERS) scene.server.mailbox(user, 'secret').add(Buffer.from('Subject: one\r\n\r\ntext\r\n'))
  const account = (user: string): string =>
    `  ${user}: { host: ${host}, port: ${port}, tls: ${tls}, user: ${user}, password: secret, deliver: inbox }`
  const lines = ['accounts:', ...USERS.map(account), 'destinations:', '  inbox: { type: maildir, path: inbox }']
  const file = scene.path('config.yaml')
  writeFileSync(file, [...lines, 'state: state/state.db'].join('\n'), { mode: 0o600 })
  const env = { HOME: scene.directory }
  const uid = process.getuid?.() ?? 0
  const configuration = await loadConfiguration({ file, state: null, env, cwd: scene.directory, uid })

  const door = watchedDoor()
  let looks = 0
  const { offLoop } = fileSystems
  const until = async (is: () => boolean): Promise<void> => {
    for (let turns = 0; !is() && turns < 100_000; turns++) await turn()
  }
  const watching: FileSystem = {
    ...offLoop,
    statfs: async (path) => {
      if (path.endsWith('/inbox/new')) {
        looks++
        if (looks === 1) await until(() => door.asked === USERS.length)
        if (looks === 2) await until(() => door.let === USERS.length)
        if (looks === 2) expect(door.let).toBe(USERS.length)
      }
      return await offLoop.statfs(path)
    },
  }
  vi.spyOn(fileSystems, 'offLoop', 'get').mockReturnValue(watching)
  await using ledger = await openLedger(configuration.statePath)
  const reports = await pollAll({
    configuration,
    accounts: configuration.accounts,
    ledger,
    options: BY_ITSELF,
    observer: { progress: () => {}, note: () => {} },
    log: silentLog,
    env: {},
    signal: new AbortController().signal,
    sessionGapSeconds: 0,
  })
  expect(reports.map(({ outcome, delivered }) => [outcome, delivered])).toEqual(USERS.map(() => ['ok', 1]))
  expect([door.asked, door.let]).toEqual([USERS.length, USERS.length])
  expect(looks).toBeGreaterThan(1)
})
