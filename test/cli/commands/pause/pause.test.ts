// `popfetch pause` and `resume` as people use them, with real processes: cron and a daemon beside each other, names, JSON, status.
import { mkdir, readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { Scene } from '../../scene.ts'
import { World } from '../../world.ts'

async function delivered(scene: Scene): Promise<number> {
  return (await readdir(scene.path('Mail', 'new')).catch(() => [])).length
}

describe('with real processes', () => {
  test('cron, a named account, a dry run, migrate and a daemon leave a paused account alone until it is resumed', async () => {
    await using scene = await Scene.start()
    scene.fill('a', 'b')
    expect(await scene.answered('pause', 'work')).toBe('work: paused, not polled until popfetch resume work\n')
    expect(await scene.popfetch()).toEqual({ code: 0, stdout: '', stderr: '' })
    const { code, stdout } = await scene.popfetch('work', '--json')
    expect([code, JSON.parse(stdout)]).toMatchObject([
      0,
      { ok: true, accounts: [{ account: 'work', outcome: 'paused', error: null }] },
    ])
    const paused = /work: not tried: work is paused \(by \S+, [^)]+\): popfetch resume work/
    expect(await scene.popfetch('work', '--dry-run')).toMatchObject({ code: 0, stdout: expect.stringMatching(paused) })
    expect(await scene.popfetch('migrate', 'work', 'maildir:Moved')).toMatchObject({
      code: 75,
      stdout: expect.stringContaining('work is paused'),
    })
    expect(await scene.popfetch('--daemon')).toMatchObject({ code: 0 })
    try {
      expect(await scene.popfetch('wake', 'work')).toMatchObject({ code: 0 })
      expect(await scene.popfetch('work', '--json')).toMatchObject({
        code: 0,
        stdout: expect.stringContaining('"outcome":"paused"'),
      })
      expect(await delivered(scene)).toBe(0)
      expect(scene.server.journal.of('connect')).toEqual([])
      expect(await scene.answered('resume', 'work')).toBe('work: resumed\n')
      expect(await scene.popfetch('work', '--json')).toMatchObject({
        code: 0,
        stdout: expect.stringContaining('"delivered":2'),
      })
    } finally {
      await scene.popfetch('stop')
    }
    expect(await delivered(scene)).toBe(2)
  })

  test('status says since when, until when, by whom, and the command; --check does not count it', async () => {
    await using scene = await Scene.start()
    scene.fill('a')
    await scene.popfetch()
    await scene.answered('pause', 'work', 'inbox', '--for', '2h')
    const text = await scene.answered('status')
    expect(text).toMatch(
      /^work: paused for another 2 h, not polled: by \S+@\S+, \d+ s ago\n {2}next: popfetch resume work$/m,
    )
    expect(text).toMatch(
      /^inbox: paused for another 2 h, gets no mail: by \S+@\S+, \d+ s ago\n {2}next: popfetch resume inbox$/m,
    )
    const { accounts, paused } = JSON.parse(await scene.answered('status', '--json')) as {
      accounts: readonly { pausedUntil: string }[]
      paused: readonly object[]
    }
    expect(accounts).toMatchObject([{ outcome: 'paused', because: { kind: 'person' }, next: 'popfetch resume work' }])
    expect(accounts[0]?.pausedUntil).toMatch(/^\d{4}-/)
    expect(paused).toMatchObject([
      { kind: 'account', name: 'work' },
      { kind: 'destination', name: 'inbox' },
    ])
    expect(await scene.answered('status', '--check')).toBe('all is well\n')
  })
})

/** Two accounts and a destination; nothing of it is ever asked. */
async function world(): Promise<World> {
  const made = await World.make()
  const account = { host: 'pop.example.net', user: 'alice', password: 'secret', deliver: 'inbox' }
  const accounts = { work: account, home: { ...account, user: 'bob' } }
  const configuration = { accounts, destinations: { inbox: { type: 'maildir', path: 'Mail' } }, state: 'state.db' }
  await mkdir(join(made.directory, 'popfetch'))
  await writeFile(join(made.directory, 'popfetch', 'config.json'), JSON.stringify(configuration), { mode: 0o600 })
  made.env = { XDG_CONFIG_HOME: made.directory, HOME: made.directory }
  return made
}

describe('its words', () => {
  test('without a name all accounts are paused, and all that is paused is resumed', async () => {
    await using made = await world()
    expect([await made.run('pause --json --for 3d'), made.json]).toMatchObject([
      0,
      { ok: true, paused: [{ name: 'work' }, { name: 'home' }] },
    ])
    expect([await made.run('resume'), made.stdout.text]).toEqual([0, 'home: resumed\nwork: resumed\n'])
    expect([await made.run('resume'), made.stdout.text]).toEqual([0, 'nothing is paused\n'])
    expect([await made.run('resume work'), made.stdout.text]).toEqual([0, 'work: was not paused\n'])
  })

  test.each([
    [
      'pause wrok',
      /^popfetch: no account or destination is called "wrok" \(did you mean "work"\?\); the accounts and destinations are work, home, inbox/,
    ],
    ['pause work nobody', /no account or destination is called "nobody"/],
    ['pause work --for soon', /--for must be a duration such as 90m, 2h or 3d, and at most a year/],
    ['pause work --for 0s', /--for must be a duration/],
    ['pause work --for 400d', /at most a year/],
    ['resume nobody', /no account or destination is called "nobody"/],
  ])('%s is wrong usage, and nothing is paused', async (line, text) => {
    await using made = await world()
    expect([await made.run(line), made.stderr.text]).toEqual([64, expect.stringMatching(text)])
    await made.run('resume')
    expect(made.stdout.text).toBe('nothing is paused\n')
  })
})
