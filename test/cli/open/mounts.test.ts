// In a container: what is not in a mount is gone with it.
import { expect, test } from 'vitest'
import { mountPointsIn, refuseUnmounted } from '../../../src/cli/open/mounts.ts'
import type { Configuration } from '../../../src/config/schema.ts'
import { Scene } from '../../config/scene.ts'

interface Changes {
  readonly statePath?: string
  readonly mail?: string
  readonly env?: Readonly<Record<string, string>>
}

async function refusalOf(
  mounts: readonly string[],
  { statePath = '/state/state.db', mail = '/mail', env = { POPFETCH_CONTAINER: '1' } }: Changes = {},
): Promise<string | null> {
  await using scene = await Scene.create()
  const account = `a: {host: pop.example.net, user: a, password: {env: PW}, deliver: "maildir:${mail}"}`
  const configuration: Configuration = { ...(await scene.load(`accounts: {${account}}`)), statePath }
  return await refuseUnmounted(configuration, { env }, () => Promise.resolve(mounts)).then(
    () => null,
    (error: { message: string }) => error.message,
  )
}

test.each([
  [['/', '/state', '/mail'], {}],
  [['/', '/state/popfetch', '/mail/home'], { statePath: '/state/popfetch/state.db', mail: '/mail/home/alice' }],
  [['/'], { statePath: '/srv/state.db', mail: '/srv/Mail' }],
  [['/'], { statePath: '/state-of-mind/state.db', mail: '/mailbox' }],
  [['/'], { env: {} }],
])('with mounts at %j all is well: %j', async (mounts, changes) => {
  expect(await refusalOf(mounts, changes)).toBeNull()
})

test.each([
  [
    ['/', '/mail'],
    {},
    /^the ledger \/state\/state\.db would be gone .*\/state is not a mount: .*-v popfetch-state:\/state/,
  ],
  [[], {}, /\/state is not a mount/],
  [['/', '/statement', '/mail'], {}, /\/state is not a mount/],
  [['/', '/state/other', '/mail'], {}, /\/state is not a mount/],
  [['/', '/state'], {}, /^mail in \/mail would be gone .*\/mail is not a mount/],
  [['/', '/state'], { mail: '/mail/{account}/Mail' }, /\/mail is not a mount/],
  [['/', '/state', '/mail/other'], { mail: '/mail/alice' }, /\/mail is not a mount/],
])('with mounts at %j it is refused: %j', async (mounts, changes, text) => {
  expect(await refusalOf(mounts, changes)).toMatch(text)
})

test('where something is mounted is read as the kernel writes it', () => {
  const text = [
    '22 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw',
    '500 22 0:50 /volumes/a /state rw,relatime - ext4 /dev/sda1 rw',
    String.raw`501 22 0:51 / /mail/my\040mail\134s rw - cifs //nas/mail rw`,
    '',
  ].join('\n')
  expect(mountPointsIn(text)).toEqual(['/', '/state', '/mail/my mail\\s'])
})
