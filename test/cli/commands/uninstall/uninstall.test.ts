// `popfetch uninstall`: what it lists, that its commands do what they say when a shell runs them, and that mail stays.
import { execFileSync } from 'node:child_process'
import { readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { shellWord } from '../../../../src/cli/commands/uninstall/found.ts'
import { cronFindings, unitFindings } from '../../../../src/cli/commands/uninstall/schedule.ts'
import { tell } from '../../../../src/cli/commands/uninstall/text.ts'
import { ControlServer } from '../../../../src/daemon/control/server.ts'
import { socketPath } from '../../../../src/daemon/control/protocol.ts'
import { Store } from '../../../../src/oauth/store.ts'
import { redactor } from '../../../../src/redact.ts'
import { Person } from '../../person.ts'

interface Listed {
  readonly found: readonly { kind: string; what: string; command: string | null; note: string | null }[]
  readonly kept: readonly { path: string; why: string }[]
}

const ODD = 'it\'s a "home" of $mine\nand `yours`'
const UIDS = 'a'.repeat(32)

let person: Person
let home = ''
beforeEach(async () => {
  person = await Person.arrive()
  home = person.path(ODD)
  person.env['HOME'] = home
  // Programs that popfetch or the commands run, which only write down how they were called.
  await program('crontab', `test "$1" = -l && cat "$TABLE" || { cat > "$TABLE.new"; mv "$TABLE.new" "$TABLE"; }`)
  for (const name of ['systemctl', 'secret-tool', 'popfetch', 'npm', 'loginctl']) await program(name, '')
  person.env['PATH'] = `${person.path('bin')}:${process.env['PATH']}`
  person.env['TABLE'] = person.path('table')
  person.env['CALLS'] = person.path('calls')
})
afterEach(async () => await person[Symbol.asyncDispose]())

async function program(name: string, text: string): Promise<void> {
  await person.write(`bin/${name}`, `#!/bin/sh\nTABLE=${shellWord(person.path('table'))}\n${text}\n${log(name)}`, 0o755)
}

const log = (name: string): string => `echo ${name} "$@" >> ${shellWord(person.path('calls'))}\n`

async function put(name: string, text = 'x'): Promise<string> {
  await person.write(path.join(ODD, name), text)
  return path.join(home, name)
}

async function listed(...argv: string[]): Promise<Listed> {
  expect(await person.run('uninstall', '--json', ...argv)).toBe(0)
  const { found, kept } = JSON.parse(person.stdout.text) as Listed
  // What the machine of the test has is not the test's.
  return { found: found.filter(({ what }) => !what.startsWith('/etc/')), kept }
}

function inShell(command: string): void {
  execFileSync('/bin/sh', ['-c', command], { env: person.env, stdio: 'pipe' })
}

/** All files below the home, without its own name. */
async function left(): Promise<readonly string[]> {
  const entries = await readdir(home, { recursive: true, withFileTypes: true })
  const files = entries.filter((entry) => !entry.isDirectory())
  return files.map((entry) => path.relative(home, path.join(entry.parentPath, entry.name))).toSorted()
}

const STATE = '.local/state/popfetch'
const CONFIG = '.config/popfetch'

async function everything(): Promise<void> {
  await put(
    `${CONFIG}/config.yaml`,
    `accounts:
  work: { host: pop.example.org, user: alice, password: { file: work.password }, deliver: [inbox, old] }
  home: { host: pop.example.org, user: bob, password: { keyring: "bob's" }, deliver: { first-of: [inbox, old] } }
  none: { host: pop.example.org, user: eve, password: { file: "/run/secrets/eve" }, deliver: inbox }
destinations:
  inbox: { type: maildir, path: "~/Mail/{account}" }
  old: { type: mbox, path: "~/old mail" }
notify:
  - { url: https://ntfy.example.org/x, headers: { Authorization: { file: "~/.ntfy token" } } }
daemon: { http: 127.0.0.1:9464, httpToken: { file: http.token } }
log: { file: "~/log/mail.log" }
`,
  )
  for (const name of ['work.password', 'left-over.password', 'http.token']) await put(`${CONFIG}/${name}`)
  await put('.ntfy token')
  await put('log/mail.log')
  await put('log/mail.log.1')
  for (const suffix of ['', '-wal', '-shm', '.daily.1', '.daily.2', '.before-restore-1', '.notify', '.told', '.socket'])
    await put(`${STATE}/state.db${suffix}`)
  await put(`${STATE}/state.db.leases/${UIDS}`)
  await put(`${STATE}/oauth/${UIDS}.json`)
  await put(`${STATE}/oauth/${UIDS}.json.lock`)
  await put(`${STATE}/spool/spool-${'1'.repeat(16)}-77-${UIDS}`)
  await put(`${STATE}/migrations/${'b'.repeat(24)}.db`)
  await put(`${STATE}/migrations/${'b'.repeat(24)}.db.leases/${UIDS}`)
  await put('.cache/popfetch/v24.21.0-x64-abc-0/1f2e3d4c')
  await put('.cache/popfetch/code-0123456789abcdef')
  await put('.cache/popfetch/code-0123456789abcdef.4711')
  await put('.cache/popfetch/configuration-0123456789abcdef')
  await put('.local/share/bash-completion/completions/popfetch')
  await put('.config/fish/completions/popfetch.fish')
  await put('.config/systemd/user/popfetch.service', '[Service]\nExecStart=/usr/bin/popfetch --daemon --foreground\n')
  await put('.config/systemd/user/poll-mail.service', '[Service]\nExecStart="/my bin/popfetch" --quiet\n')
  await put('.config/systemd/user/poll-mail.timer', '[Timer]\nOnCalendar=hourly\n')
  await put('.config/systemd/user/other.service', '[Service]\nExecStart=/usr/bin/other --like popfetcher\n')
  await writeFile(
    person.path('table'),
    `# popfetch\nMAILTO=popfetch\n*/5 * * * *  /usr/bin/popfetch --config '/a b/c'\n@daily other\n`,
  )
  await put('Mail/office/cur/1', 'mail')
  await put('old mail', 'From - …\n')
}

/** As `popfetch auth` keeps it. */
async function signedIn(client: string, user: string, identity: string): Promise<void> {
  const store = new Store(path.join(home, STATE), { env: person.env })
  using _ = await store.lock(client, user, 1000, new AbortController().signal)
  await store.write({
    client,
    user,
    identity,
    id: '1',
    sinceMs: 1,
    refreshToken: 'r-t-0123456789',
    accessToken: null,
    obtainedMs: 1,
    expiresMs: 1,
    scopes: ['mail'],
    person: null,
    endsMs: null,
    slides: false,
    renewingMs: null,
    ended: null,
    told: [],
  })
}

describe('popfetch uninstall', () => {
  test('prints commands that leave the mail, what others own, and nothing else', async () => {
    await everything()
    const before = await left()
    const { found, kept } = await listed()
    expect(await left()).toEqual(before)
    const commands = found.flatMap(({ command }) => (command === null ? [] : [command]))
    for (const command of commands) inShell(command)
    expect(await left()).toEqual(['.config/systemd/user/other.service', 'Mail/office/cur/1', 'old mail'])
    for (const folder of [CONFIG, STATE, '.cache/popfetch'])
      expect([folder, await readdir(path.join(home, folder)).catch(() => 'gone')]).toEqual([folder, 'gone'])
    expect(await readFile(person.path('table'), 'utf8')).toBe('# popfetch\nMAILTO=popfetch\n@daily other\n')
    const calls = (await readFile(person.path('calls'), 'utf8')).split('\n')
    for (const call of [
      'systemctl --user disable --now poll-mail.timer',
      'systemctl --user disable --now poll-mail.service',
      'systemctl --user disable --now popfetch.service',
      'systemctl --user daemon-reload',
      "secret-tool clear service popfetch account bob's",
    ])
      expect(calls).toContain(call)
    expect(kept).toEqual([
      { path: path.join(home, 'Mail'), why: 'mail' },
      { path: path.join(home, 'old mail'), why: 'mail' },
    ])
  })

  test('lists each kind of thing that there can be, each with its command; what runs and what is signed in come first', async () => {
    await everything()
    const file = path.join(home, CONFIG, 'config.yaml')
    const text = await readFile(file, 'utf8')
    const more = `oauth: { company: { issuer: "https://id.example.org", clientId: popfetch, scopes: [mail] } }
accounts:
  signed: { host: pop.example.org, user: "alice@example.org", token: { oauth: company }, deliver: inbox }
  other: { host: pop.example.org, user: "changed@example.org", token: { oauth: company }, deliver: inbox }
`
    await writeFile(file, text.replace('accounts:\n', more), { mode: 0o600 })
    const users = ['alice@example.org', 'changed@example.org', 'departed@example.org']
    for (const user of users)
      await signedIn('company', user, user.startsWith('changed') ? 'another' : 'https://id.example.org popfetch')
    const state = path.join(home, STATE, 'state.db')
    await put(`${STATE}/state.db.accounts`)
    await rm(`${state}.socket`)
    const answer = { pid: 4711, sinceMs: 1, version: '1', file, accounts: [] }
    const place = await socketPath(state, person.env)
    await using _ = await ControlServer.listen(place, () => Promise.resolve(answer))
    const { found } = await listed()
    const kinds = [...new Set(found.map(({ kind }) => kind))]
    expect(kinds).toEqual([
      'daemon',
      'unit',
      'cron',
      'sign-in',
      'ledger',
      'log',
      'keyring',
      'secret',
      'configuration',
      'cache',
      'completion',
      'program',
    ])
    const commandsOf = (wanted: string): readonly (string | null)[] =>
      found.filter(({ kind }) => kind === wanted).map(({ command }) => command)
    expect(commandsOf('daemon')).toEqual(['popfetch stop'])
    const signIns = found.filter(({ kind }) => kind === 'sign-in')
    expect(signIns.map(({ what, command, note }) => [what, command, note])).toEqual([
      [
        'alice@example.org via company (signed)',
        'popfetch auth --sign-out signed',
        'revokes it at the provider, where it can',
      ],
      [
        'changed@example.org via company (other)',
        null,
        'its client is no longer configured: revoke it at the provider',
      ],
      ['departed@example.org via company (no longer used)', null, 'nothing uses it: revoke it at the provider'],
    ])
    const ledger = found.filter(({ kind }) => kind === 'ledger').map(({ what, note }) => [what, note])
    expect(ledger).toContainEqual([`${state}.daily.1`, 'a copy of the ledger'])
    expect(ledger).toContainEqual([`${state}.accounts`, 'accounts that a program printed, with their passwords'])
    expect(person.printed).not.toContain('r-t-')
  })

  test('says the same for people, each command whole, and that nothing was removed', async () => {
    await everything()
    const { found } = await listed()
    expect(await person.run('uninstall')).toBe(0)
    for (const { command } of found) if (command !== null) expect(person.stdout.text).toContain(`  ${command}\n`)
    expect(person.stdout.text).toMatch(/^This is what popfetch has here for alice\. Nothing was removed/)
    expect(person.stdout.text).toContain('Kept: not for popfetch to remove')
    expect(person.stderr.text).toBe('')
  })

  test.each([
    ['a Maildir in the spool', `${STATE}/spool/Archive/cur/1`, `${STATE}/spool`],
    ['an mbox in the spool', `${STATE}/spool/inbox.mbox`, `${STATE}/spool`],
    ['a Maildir among the sign-ins', `${STATE}/oauth/new/1`, `${STATE}/oauth`],
    ['a file of somebody among migrations', `${STATE}/migrations/notes.txt`, `${STATE}/migrations`],
    ['a Maildir that has the name of the cache', '.cache/popfetch/cur/1', '.cache/popfetch'],
    ['a folder whose name begins like that of the ledger', `${STATE}/state.db.mail/cur/1`, `${STATE}/state.db.mail`],
    ['an mbox whose name begins like that of the ledger', `${STATE}/state.db.mbox`, `${STATE}/state.db.mbox`],
  ])('gives no command for %s, and says why', async (_, file, folder) => {
    await put(`${STATE}/state.db`)
    await put(file, 'From - …\n')
    const { found, kept } = await listed()
    expect(kept.map((one) => one.path)).toContain(path.join(home, folder))
    for (const { command } of found) if (command !== null) inShell(command)
    expect(await left()).toEqual([file])
  })

  test('removes a link and leaves alone where it leads', async () => {
    await put(`${STATE}/state.db`)
    const elsewhere = await put('elsewhere/spool-file')
    await symlink(path.dirname(elsewhere), path.join(home, STATE, 'spool'))
    for (const { command } of (await listed()).found) if (command !== null) inShell(command)
    expect(await left()).toEqual(['elsewhere/spool-file'])
  })

  test('works with a configuration that is broken, and says what is not listed for it', async () => {
    await put(`${CONFIG}/config.yaml`, 'accounts: {work: {hosst: x}}\n')
    await put(`${STATE}/state.db`)
    const { found } = await listed()
    expect(found.map(({ kind }) => kind)).toEqual(['ledger', 'ledger', 'configuration', 'configuration', 'program'])
    expect(person.stderr.text).toMatch(/warning: .*secrets and sign-ins named in it are not listed/)
  })

  test.each([
    ['nothing at all', {}],
    ['no home', { HOME: '' }],
    ['a container without a home', { HOME: '', POPFETCH_CONTAINER: '1' }],
  ])('finds only the program where there is %s', async (_, env) => {
    Object.assign(person.env, env)
    const { found, kept } = await listed()
    expect([found.map(({ kind }) => kind), kept]).toEqual([['program'], []])
    expect(found[0]?.command?.startsWith('docker rm') ?? false).toBe('POPFETCH_CONTAINER' in env)
    tell({ found: [], kept: [] }, person.surroundings())
    expect(person.stdout.text).toContain('Nothing of popfetch was found for alice but the program itself.')
  })

  test('prints no command with a path that holds a secret, which would be masked', async () => {
    await put('hunter2hunter2/state.db')
    redactor.add('hunter2hunter2', 'the password of work')
    const { found } = await listed('--state', path.join(home, 'hunter2hunter2/state.db'))
    expect(person.stdout.text).not.toContain('hunter2')
    expect(found.find(({ kind }) => kind === 'ledger')).toMatchObject({ command: null, note: /by hand/ })
  })

  test('speaks of the configuration and the ledger that are named', async () => {
    const config = await put('other/config.yaml', 'accounts: {}\n')
    const state = await put('other/s.db')
    await put(`${STATE}/state.db`)
    const { found } = await listed('--config', config, '--state', state)
    expect(found.map(({ what }) => what)).toEqual([state, config, expect.anything()])
  })
})

test('a word for a shell is read back as it was, and has no character that a terminal acts on', () => {
  for (const word of [
    'plain',
    'a b',
    "it's",
    '"$HOME"',
    '~',
    '-rf',
    '*',
    'a\nb',
    '\u001b[31m',
    'tab\tbell\u0007',
    '\u202e',
    'end\u0007\n',
  ]) {
    const text = shellWord(word)
    const shell = text.startsWith("$'") ? 'bash' : 'sh'
    expect([word, execFileSync(shell, ['-c', `printf %s ${text}`], { encoding: 'utf8' })]).toEqual([word, word])
    expect(text).not.toMatch(/[^\P{C}\n]/u)
  }
})

describe('of the whole machine', () => {
  /** Only root may read what belongs to the machine. */
  const root = 0
  const places = () => ({ env: person.env, uid: root, signal: new AbortController().signal })

  test('files of cron and units are found, and one that starts other programs as well is to be edited', async () => {
    await writeFile(person.path('table'), '')
    await person.write('root/etc/cron.d/mail', 'PATH=/bin\n# popfetch\n*/5 * * * * popfetch /usr/bin/popfetch -q\n')
    await person.write('root/etc/cron.d/other', '* * * * * popfetch /usr/bin/other\n')
    await person.write('root/etc/crontab', '@daily root other\n@daily root cd / && popfetch\n')
    await person.write('root/etc/systemd/system/popfetch.service', '[Service]\nExecStart=/usr/bin/popfetch --daemon\n')
    // A pipe would be waited for.
    for (const name of ['etc/cron.d/popfetch', 'etc/systemd/system/popfetch-poll.service'])
      execFileSync('mkfifo', [person.path('root', name)])
    const cron = await cronFindings(places(), person.path('root'))
    expect(cron.found).toMatchObject([
      { what: person.path('root/etc/crontab'), command: expect.stringMatching(/^"\$\{EDITOR:-vi\}" \//) },
      { what: person.path('root/etc/cron.d/mail'), command: expect.stringMatching(/^rm -- \//) },
    ])
    const units = await unitFindings(places(), person.path('root'))
    expect(units.found.map(({ command }) => command)).toEqual([
      'systemctl disable --now popfetch.service',
      `rm -- ${person.path('root/etc/systemd/system/popfetch.service')}`,
      'systemctl daemon-reload',
    ])
  })
})
