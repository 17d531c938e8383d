// Command lines of old tools, and what the program that popfetch starts for them really gets.
import { execFileSync } from 'node:child_process'
import { describe, expect, test } from 'vitest'
import { importFetchmail } from '../../src/setup/fetchmail/fetchmail.ts'
import { importGetmail } from '../../src/setup/getmail/getmail.ts'
import { expanded, shellLine } from '../../src/setup/delivery-command.ts'
import { Doubts } from '../../src/setup/doubts.ts'
import { importMpop } from '../../src/setup/mpop/mpop.ts'
import { oldPath } from '../../src/setup/old-path.ts'
import { CONTEXT } from './scene.ts'

const ENV = {
  HOME: '/home/me',
  USER: 'me',
  LOGNAME: 'me',
  PATH: process.env['PATH'] ?? '/usr/bin:/bin',
  NOTMUCH_CONFIG: '/home/me/.config/notmuch a',
  BOX: 'Box 1',
  MAIL_TOKEN: 'hunter2',
}

/** What the old tool gave to its shell, and what popfetch starts, both with `echo` in place of the agent. */
function words(line: string): { readonly old: string; readonly now: string; readonly remarks: readonly string[] } {
  const { destination, remarks } = shellLine(line, 'bob', ENV)
  const [program = '', ...args] = destination['run'] as readonly string[]
  const { HOME, USER, LOGNAME, PATH } = ENV
  const added = (destination['env'] ?? {}) as Readonly<Record<string, string>>
  const ours = { HOME, USER, LOGNAME, PATH, SENDER: 'ada@example.org', RECIPIENT: 'me@example.net', ...added }
  const now = execFileSync(program, args, { env: ours, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] })
  const before = line.replaceAll('%T', 'bob').replaceAll('%F', 'ada@example.org')
  return { old: execFileSync('/bin/sh', ['-c', before], { env: ENV, encoding: 'utf8' }), now, remarks }
}

describe('a line that an old tool gave to a shell (M003, M004)', () => {
  test.each([
    'printf [%s] -d %T',
    "printf '[%s]' -f '%F' -d \"$USER\" $LOGNAME",
    'printf "[%s]" ~ ~/Mail $HOME "${HOME}/x y"',
    'printf [%s] "${NOTHING:-y}" "${NOTHING-z}" "${BOX:-y}"',
    'printf [%s] "$BOX" ${BOX}',
    "printf [%s] '$NOTHING' \\$NOTHING",
    'NAME=x printf [%s] a',
    'exec printf [%s] a',
    'cd / && printf [%s] a',
    'for one in a b; do printf [%s] "$one"; done',
    'X=1; printf [%s] "$X"',
    'printf\t[%s]\ta  b',
    `printf [%s] "it's $BOX"`,
  ])('gives the same words as before: %s', (line) => {
    const { old, now, remarks } = words(line)
    expect(now).toBe(old)
    expect(remarks).toEqual([])
  })

  test.each(['maildrop "$NOTHING"', 'maildrop ${NOTHING}', `maildrop "it's $NOTHING"`, 'X="$NOTHING"; maildrop $X'])(
    'never has a word that becomes empty in silence: %s',
    (line) => {
      const { destination, remarks } = shellLine(line, 'bob', ENV)
      expect(remarks).toEqual(['$NOTHING: it has no value here, and the command would fail: write it under env'])
      const [program = '', ...args] = destination['run'] as readonly string[]
      expect(() => execFileSync(program, args, { env: {}, stdio: 'ignore' })).toThrow()
    },
  )

  test('has the variables that its program reads, without a word in the line', () => {
    expect(shellLine('/usr/bin/notmuch insert --folder=x', 'bob', ENV).destination).toEqual({
      type: 'command',
      run: ['/usr/bin/notmuch', 'insert', '--folder=x'],
      env: { NOTMUCH_CONFIG: '/home/me/.config/notmuch a' },
      cwd: '~',
    })
  })

  test('does not copy what may be a secret', () => {
    const { destination, remarks } = shellLine('agent "$MAIL_TOKEN"', 'bob', ENV)
    expect(JSON.stringify([destination, remarks])).not.toContain('hunter2')
    expect(remarks).toEqual([
      '$MAIL_TOKEN: it may be a secret and was not copied: write it under env, or have the command read it',
    ])
  })

  test('keeps what a message says out of the command', () => {
    expect(shellLine(`agent -f %F '%F' "%F"`, 'bob', ENV).destination['run']).toEqual([
      '/bin/sh',
      '-u',
      '-c',
      'agent -f "$SENDER" "$SENDER" "$SENDER"',
    ])
  })
})

test('the quotes around the whole of what mpop runs are taken off, as mpop does (M003)', () => {
  const text = `account a\nhost pop.example.net\nuser u\npassword p\ndelivery mda "/usr/bin/procmail -d x"\n`
  const [account] = importMpop(text, { ...CONTEXT, env: ENV }).accounts
  expect(account?.deliver).toEqual([{ type: 'command', run: ['/usr/bin/procmail', '-d', 'x'], cwd: '~' }])
})

test('fetchmail and its agent: what nobody gives a value is told (M004)', () => {
  const text = 'poll pop.example.net proto pop3 user u pass p ssl mda "maildrop $NOTHING"'
  const [account] = importFetchmail(text, { ...CONTEXT, env: ENV, idfile: '/i' }).accounts
  expect(account?.remarks.join()).toContain('$NOTHING: it has no value here')
})

test('getmail expands its words as Python does, and gives no line to a shell (M007)', () => {
  const text = `[retriever]
type = SimplePOP3SSLRetriever
server = pop.example.net
username = u
password = p
[destination]
type = MDA_external
path = ~/bin/agent
arguments = ("$HOME/x", "\${BOX}", "~/y", "a ~/z", "$(id)", "$NOTHING", "~bob/x")
`
  const place = { ...CONTEXT, env: ENV, name: 'getmailrc', directory: '/d' }
  const [account] = importGetmail(text, place).accounts
  expect(account?.deliver[0]?.['run']).toEqual([
    '/home/me/bin/agent',
    '/home/me/x',
    'Box 1',
    '/home/me/y',
    'a ~/z',
    '$(id)',
    '$NOTHING',
    '~bob/x',
  ])
  expect(account?.remarks.filter((remark) => /\$NOTHING|~bob/.test(remark))).toEqual([
    '$NOTHING: it has no value here: write its value',
    "~bob/x: popfetch looks up nobody's home directory: write the whole path",
  ])
})

test('a word without anything to expand stays as it is', () => {
  const remarks: string[] = []
  expect(expanded('a$ b$1 $', null, {}, remarks)).toBe('a$ b$1 $')
  expect(remarks).toHaveLength(1)
})

describe('a path of an old file', () => {
  test.each([
    ['~/Mail', '~/Mail'],
    ['$HOME/Mail', '~/Mail'],
    ['${HOME}/Mail', '~/Mail'],
    ['/srv/mail', '/srv/mail'],
    ['/srv/a b', '/srv/a b'],
    ['$BOX/x', 'Box 1/x'],
    ['/srv/$BOX', '/srv/Box 1'],
  ])('%s is %s', (text, expected) => {
    const doubts = new Doubts()
    expect(oldPath(text, doubts, ENV)).toBe(expected)
    expect(doubts.warnings).toEqual([])
  })

  test.each(['~bob/Mail', '"~/Mail"', "'/srv/mail'", '$NOTHING/Mail', '/srv/$NOTHING', '`id`/x', ''])(
    '%s is a doubt: nothing is deleted, and a person is told (M006)',
    (text) => {
      const doubts = new Doubts()
      oldPath(text, doubts, ENV)
      expect(doubts.warnings).toHaveLength(1)
      expect(doubts.deletion('after-delivery')).toBe('never')
    },
  )
})
