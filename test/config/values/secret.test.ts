// Secrets: where they come from, what is refused, and that they show up nowhere else (N019, N022).
import { redactor } from '../../../src/redact.ts'
import { access, chmod, mkdir, readFile, writeFile } from 'node:fs/promises'
import { inspect } from 'node:util'
import { describe, expect, test } from 'vitest'
import { showConfiguration } from '../../../src/config/load.ts'
import { runSecretCommand } from '../../../src/config/values/secret.ts'
import { resolveSecret, SECRET_LIMIT_BYTES, SecretText } from '../../../src/config/values/secret.ts'
import type { SecretSource } from '../../../src/config/values/secret.ts'
import { refusal, Scene } from '../scene.ts'

const WHAT = 'the password of old-isp'

function resolve(source: SecretSource, env: Record<string, string> = {}, signal = new AbortController().signal) {
  return resolveSecret(source, { env: { PATH: '/usr/bin:/bin', ...env }, signal, what: WHAT })
}

function command(run: string | readonly string[]): SecretSource {
  return { kind: 'command', run }
}

describe('a secret written as text', () => {
  test('is given to whoever asks for it', async () => {
    expect(await resolve(new SecretText('hunter2'))).toBe('hunter2')
  })

  test('does not show when it is printed, inspected, serialised or put into a text', () => {
    const account = { password: new SecretText('hunter2') }
    const shown = [inspect(account, { showHidden: true, depth: 9 }), JSON.stringify(account), String(account.password)]
    expect(inspect(account, { customInspect: false, showHidden: true })).not.toContain('hunter2')
    expect(shown.join()).not.toContain('hunter2')
    expect(shown.join()).toContain('***')
  })
})

describe('a secret in the environment', () => {
  test('is the value as it is', async () => {
    expect(await resolve({ kind: 'env', name: 'PW' }, { PW: ' hunter2 ' })).toBe(' hunter2 ')
  })

  test.each([undefined, '', 'hunter\n2', 'hunter\r2'])(
    'that is %j is refused, until somebody changes something',
    async (value) => {
      const error = await refusal(resolve({ kind: 'env', name: 'PW' }, value === undefined ? {} : { PW: value }))
      expect(error).toMatchObject({ code: 'ERR_SECRET', scope: 'account', retry: 'never' })
      expect(error.message).toMatch(
        /^reading the password of old-isp from the environment variable PW: (?:it is not set|there is|it is empty)/,
      )
      expect(error.message).not.toContain('hunter')
    },
  )
})

describe('a secret in a file', () => {
  test.each([
    ['hunter2', 'hunter2'],
    ['hunter2\n', 'hunter2'],
    ['hünter2\n', 'hünter2'],
    [' hunter2 \n', ' hunter2 '],
  ])('%j is %j: one newline at the end is not part of it', async (contents, secret) => {
    await using scene = await Scene.create()
    const path = await scene.write(contents, { name: 'secret' })
    expect(await resolve({ kind: 'file', path })).toBe(secret)
  })

  test.each(['', '\n', 'hunter2\n\n', 'hunter2\r\n', 'hun\0ter2', 'h'.repeat(SECRET_LIMIT_BYTES + 1)])(
    'of the contents %j is refused',
    async (contents) => {
      await using scene = await Scene.create()
      const path = await scene.write(contents, { name: 'secret' })
      const error = await refusal(resolve({ kind: 'file', path }))
      expect(error).toMatchObject({ code: 'ERR_SECRET', retry: 'never' })
      expect(error.message).not.toContain('hunter')
    },
  )

  test('that is not UTF-8 is refused', async () => {
    await using scene = await Scene.create()
    const path = scene.path('secret')
    await writeFile(path, Buffer.from('h\xfcnter', 'latin1'), { mode: 0o600 })
    await expect(resolve({ kind: 'file', path })).rejects.toThrow(/not UTF-8/)
  })

  test('that anybody can write, is missing, or is no file is refused', async () => {
    await using scene = await Scene.create()
    const path = await scene.write('hunter2', { name: 'secret' })
    await chmod(path, 0o602)
    await expect(resolve({ kind: 'file', path })).rejects.toThrow(/that anybody can write to \(mode 0602\): chmod go-w/)
    await chmod(path, 0o644)
    await expect(resolve({ kind: 'file', path })).rejects.toThrow(/that anybody can read \(mode 0644\): chmod 600/)
    await chmod(path, 0o640)
    expect(await resolve({ kind: 'file', path })).toBe('hunter2')
    await expect(resolve({ kind: 'file', path: scene.path('none') })).rejects.toMatchObject({ retry: 'never' })
    await expect(resolve({ kind: 'file', path: scene.directory })).rejects.toThrow(/not a regular file/)
  })

  test('that is a pipe without a writer does not hold anybody up', async () => {
    await using scene = await Scene.create()
    await runSecretCommand(['mkfifo', scene.path('pipe')], {
      env: process.env,
      signal: AbortSignal.timeout(10_000),
      what: WHAT,
      from: 'mkfifo',
      limitBytes: 1,
    })
    await expect(resolve({ kind: 'file', path: scene.path('pipe') })).rejects.toThrow(/not a regular file/)
  })
})

describe('a credential', () => {
  test('is a file of that name in CREDENTIALS_DIRECTORY', async () => {
    await using scene = await Scene.create()
    await mkdir(scene.path('credentials'))
    await scene.write('hunter2\n', { name: 'credentials/mail.old-isp', mode: 0o400 })
    const env = { CREDENTIALS_DIRECTORY: scene.path('credentials') }
    expect(await resolve({ kind: 'credential', name: 'mail.old-isp' }, env)).toBe('hunter2')
    await expect(resolve({ kind: 'credential', name: 'other' }, env)).rejects.toMatchObject({ retry: 'never' })
    await expect(resolve({ kind: 'credential', name: 'other' })).rejects.toThrow(/CREDENTIALS_DIRECTORY is not set/)
  })

  test.each(['../secret', '..', '.', 'a/b', ''])('called "%s" is refused', async (name) => {
    await using scene = await Scene.create()
    await expect(scene.account(`x: 1, password: { credential: "${name}" }`)).rejects.toMatchObject({
      code: 'ERR_CONFIG',
    })
  })
})

describe.runIf(process.platform !== 'darwin')('an item of the keyring', () => {
  /** A keyring whose program does this. */
  async function keyring(scene: Scene, script: string) {
    await scene.write(`#!/bin/sh\n${script}\n`, { name: 'secret-tool', mode: 0o700 })
    return resolve({ kind: 'keyring', name: 'mail' }, { PATH: `${scene.path('.')}:/usr/bin:/bin` })
  }

  test('is looked up by its name', async () => {
    await using scene = await Scene.create()
    expect(await keyring(scene, '[ "$*" = "lookup service popfetch account mail" ] && printf hunter2')).toBe('hunter2')
  })

  const LOOKUP = '[ "$1" = lookup ]'
  test.each([
    [
      'missing',
      'exit 1',
      'never',
      /it does not exist: secret-tool store --label=popfetch service popfetch account 'mail'/,
    ],
    [
      'locked',
      'echo "Cannot prompt: locked" >&2; exit 1',
      'soon',
      /the keyring is locked, and nobody is there to unlock it/,
    ],
    // As secret-tool 0.20 does where nobody answers its question.
    [
      'locked, which only a search shows',
      `${LOOKUP} && exit 1; echo "[/org/freedesktop/secrets/collection/login/7]"; echo "label = popfetch"`,
      'soon',
      /the keyring is locked/,
    ],
    [
      'asked for from cron',
      "echo 'secret-tool: Cannot autolaunch D-Bus without X11 $DISPLAY' >&2; exit 1",
      'soon',
      /no desktop session here \(D-Bus\): cron needs DBUS_SESSION_BUS_ADDRESS=unix:path=\/run\/user\/\d+\/bus, or use \{ file \}/,
    ],
    [
      'asked for after the session',
      "echo 'secret-tool: Could not connect: No such file or directory' >&2; exit 1",
      'soon',
      /no desktop session here/,
    ],
    [
      'asked for where no keyring runs',
      "echo 'secret-tool: The name org.freedesktop.secrets was not provided by any .service files' >&2; exit 1",
      'soon',
      /no keyring runs in this session/,
    ],
    [
      'not had for another reason',
      'echo "boom" >&2; exit 3',
      'soon',
      /it exited with 3 and said "boom" \(is the keyring unlocked\?\)/,
    ],
    ['empty', 'exit 0', 'soon', /it is empty/],
  ] as const)('that is %s', async (_, script, retry, words) => {
    await using scene = await Scene.create()
    const error = await refusal(keyring(scene, script))
    expect(error).toMatchObject({ code: 'ERR_SECRET', retry })
    expect(error.message).toMatch(words)
  })

  test('cannot be read where its program is not installed', async () => {
    const error = await refusal(resolve({ kind: 'keyring', name: 'mail' }, { PATH: '/nowhere' }))
    expect(error).toMatchObject({ code: 'ERR_SECRET', retry: 'never' })
    expect(error.message).toMatch(/secret-tool is not installed: install libsecret-tools/)
  })
})

describe('a secret printed by a command', () => {
  test('is what it printed, without one newline at the end', async () => {
    expect(await resolve(command('echo "hunter2"'))).toBe('hunter2')
    expect(await resolve(command('printf %s hunter2'))).toBe('hunter2')
    await expect(resolve(command('printf "hunter2\\n\\n"'))).rejects.toThrow(/line break/)
  })

  test('as a list is run without a shell, as text by one', async () => {
    expect(await resolve(command(['echo', '$HOME; "x"']))).toBe('$HOME; "x"')
    expect(await resolve(command('echo $PW'), { PW: 'hunter2' })).toBe('hunter2')
  })

  test('that fails is tried again later, and its standard error is told, made safe', async () => {
    const error = await refusal(resolve(command('printf "gpg: \\033[31mno key\\n" >&2; echo hunter2; exit 3')))
    expect(error).toMatchObject({ code: 'ERR_SECRET', scope: 'account', retry: 'soon' })
    expect(error.message).toBe(
      'reading the password of old-isp from the command "printf …": it exited with 3 and said "gpg: \\x1b[31mno key"',
    )
  })

  test.each([
    ['{"refresh_token": "1//0gAbCdEfGhIjKlMnOp12345"}', '{"refresh_token": "********"}'],
    ['bad token eyJhbGciOiJSUzI1NiJ9abc.eyJpc3MiOiJ4In0.c2lnbmF0dXJl!', 'bad token ********!'],
    ['cat: /home/alice/.config/popfetch/token-2026-of-old-isp: no such file', null],
    ['alice2026.of.a-long-domain-name@example.org is not known', null],
    ['NoSuchConfigurationDirectoryException', null],
  ])('that fails may name a token that nobody has heard of yet: %s', async (text, shown) => {
    const error = await refusal(resolve({ kind: 'command', run: ['sh', '-c', 'echo "$1" >&2; exit 1', 'sh', text] }))
    expect(error.message).toContain(`and said "${shown ?? text}"`)
  })

  test('that fails may name the token after one that is known, which begins like it', async () => {
    redactor.add('eyJhbGciOiJSUzI1NiJ9abc.eyJpc3MiOiJ4In0.b25lIGJlZm9yZQ')
    const text = 'bad token eyJhbGciOiJSUzI1NiJ9abc.eyJpc3MiOiJ4In0.c2lnbmF0dXJl!'
    const error = await refusal(resolve({ kind: 'command', run: ['sh', '-c', 'echo "$1" >&2; exit 1', 'sh', text] }))
    expect(error.message).toContain('and said "bad token ********!"')
  })

  test.each([
    ['cannot be started', ['/nonexistent/command'], /cannot be started/],
    ['is killed', 'kill -TERM $$', /ended by SIGTERM/],
    ['prints nothing', 'true', /it is empty/],
    ['prints more than 64 KiB', 'head -c 70000 /dev/zero; sleep 60', /more than 64 KiB/],
    ['prints what is not UTF-8', 'printf "\\374"', /not UTF-8/],
  ])('and that %s is tried again later', async (_, run, said) => {
    const error = await refusal(resolve(command(run)))
    expect(error).toMatchObject({ code: 'ERR_SECRET', retry: 'soon' })
    expect(error.message).toMatch(said)
  })

  test('has no standard input to wait for', async () => {
    expect(await resolve(command('cat; echo hunter2'))).toBe('hunter2')
  })

  test('that fails is not repeated by its standard error, in whatever form', async () => {
    const run = 'echo "first line"; echo "pa%ss wo/rd"; echo "for pa%25ss%20wo%2Frd: expired" >&2; exit 1'
    const error = await refusal(resolve(command(run)))
    expect(error.message).toContain('it exited with 1 and said "for ****: expired"')
  })

  test('that takes too long is ended, and all that it started with it', async () => {
    await using scene = await Scene.create()
    const run = `sleep 1000 & echo $! > ${scene.path('pid')}; wait`
    const context = { env: process.env, signal: new AbortController().signal, what: WHAT, from: 'it', limitBytes: 9 }
    const error = await refusal(runSecretCommand(run, { ...context, limitMs: 300 }))
    expect(error).toMatchObject({
      code: 'ERR_SECRET',
      retry: 'soon',
      message: expect.stringContaining('no answer within'),
    })
    await expectGone(scene.path('pid'))
  })

  test('is ended when the run is', async () => {
    await using scene = await Scene.create()
    const stop = new AbortController()
    const pid = scene.path('pid')
    const resolving = resolve(command(`echo $$ > ${pid}.new; mv ${pid}.new ${pid}; sleep 1000`), {}, stop.signal)
    const outcome = refusal(resolving)
    await expectThere(pid)
    stop.abort()
    expect(await outcome).toMatchObject({ code: 'ERR_ABORTED' })
    await expectGone(pid)
    await expect(resolve(command('echo hunter2'), {}, stop.signal)).rejects.toMatchObject({ code: 'ERR_ABORTED' })
  })

  test('counts when the command ends, though something it left behind keeps its output open', async () => {
    await using scene = await Scene.create()
    const pid = scene.path('pid')
    try {
      expect(await resolve(command(`sleep 1000 & echo $! > ${pid}; echo hunter2`))).toBe('hunter2')
    } finally {
      await resolve(command(`kill $(cat ${pid}); echo done`))
    }
  })
})

test('what is in effect is shown without a secret', async () => {
  await using scene = await Scene.create()
  const configuration = await scene.load(
    `
accounts:
  a: { host: h, user: u, password: hunter2, deliver: out, delete: 30d, first: last:5, maxSize: 50MB }
  b: { host: h, user: u, password: { command: echo hunter2 }, deliver: out }
  c: { host: h, user: u, password: { command: [echo, hunter2] }, deliver: out }
  d: { host: h, user: u, password: { command: PW=hunter2 sh -c foo }, deliver: "maildir:/m/{account}" }
destinations:
  out: { type: smtp, host: h, to: a@b.c, user: u, password: hunter2, from: null }
`.replace(', perHost: 1', ''),
  )
  const shown = showConfiguration(configuration)
  expect(shown).not.toContain('hunter2')
  expect(inspect(configuration, { depth: 9 })).not.toContain("text: 'hunter2'")
  for (const line of [
    'password: "********"',
    'delete: 30d',
    'first: last:5',
    'maxSize: 50MB',
    'timeout: 1m',
    'mode: "0600"',
    'from: "null"',
  ]) {
    expect(shown).toContain(line)
  }
})

/** Polls for a fact of the kernel that nobody announces; the limit is the test's own. */
async function until(fact: () => Promise<boolean>): Promise<void> {
  while (!(await fact())) await new Promise((next) => setImmediate(next))
}

async function expectThere(file: string): Promise<void> {
  await until(() =>
    access(file).then(
      () => true,
      () => false,
    ),
  )
}

/** The process whose number is in the file is gone, or dead and not yet collected. */
async function expectGone(file: string): Promise<void> {
  const pid = Number(await readFile(file, 'utf8'))
  await until(async () => {
    try {
      return /^\d+ \(.*\) Z/.test(await readFile(`/proc/${pid}/stat`, 'utf8'))
    } catch {
      return true
    }
  })
}
