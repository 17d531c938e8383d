// Completion: the script for bash in a real bash. Those for zsh and fish by their words, and in their shells where they are
// installed (test/servers has them).
import { execFileSync } from 'node:child_process'
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { BIN, ended, startNode } from '../../child.ts'

let directory: string
const scripts: Record<string, string> = {}

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'popfetch-completion-'))
  const account = { host: 'h', user: 'u', password: 'p', deliver: 'maildir:Mail' }
  const destinations = { inbox: { type: 'maildir', path: 'M' }, relay: { type: 'mbox', path: 'm' } }
  const configuration = { accounts: { work: account, 'old-isp': account }, destinations }
  writeFileSync(join(directory, 'config.json'), JSON.stringify(configuration), { mode: 0o600 })
  writeFileSync(join(directory, 'other.json'), JSON.stringify({ accounts: { elsewhere: account } }), { mode: 0o600 })
  for (const shell of ['bash', 'zsh', 'fish']) {
    scripts[shell] = (await popfetch('completion', shell)).stdout
    writeFileSync(join(directory, shell), scripts[shell])
  }
  // What the scripts call.
  const line = `exec ${process.execPath} ${BIN} --config "\${CONFIG:-${join(directory, 'config.json')}}" "$@"`
  writeFileSync(join(directory, 'popfetch'), `#!/bin/sh\n${line}\n`)
  chmodSync(join(directory, 'popfetch'), 0o700)
})
afterAll(() => rmSync(directory, { recursive: true }))

const popfetch = (...args: string[]) => ended(startNode(directory, [BIN, ...args]))

function inBash(...words: string[]): string[] {
  const script = `source ${join(directory, 'bash')}; shift 0; COMP_WORDS=(popfetch "$@"); COMP_CWORD=$#; _popfetch; printf '%s\\n' "\${COMPREPLY[@]}"`
  const env = { PATH: `${directory}:${process.env['PATH']}`, HOME: directory }
  return execFileSync('bash', ['-c', script, 'bash', ...words], { env, encoding: 'utf8' })
    .split('\n')
    .filter(Boolean)
}

describe('in bash', () => {
  test.each([
    [['st'], ['status', 'state', 'stop']],
    [['w'], ['wake', 'work']],
    [
      ['wake', ''],
      ['work', 'old-isp'],
    ],
    [
      ['config', 's'],
      ['show', 'schema'],
    ],
    [['--da'], ['--daemon']],
    [['--log-level', 'd'], ['debug']],
    [['--limit', ''], []],
    [['--limit', '3', 'o'], ['old-isp']],
    [['state', 'fo'], ['forget']],
    [
      ['state', 'list', ''],
      ['work', 'old-isp'],
    ],
    [['state', 'w'], []],
    [
      ['migrate', ''],
      ['work', 'old-isp'],
    ],
    [
      ['migrate', 'work', ''],
      ['inbox', 'relay'],
    ],
    [
      ['check', ''],
      ['work', 'old-isp', 'inbox', 'relay'],
    ],
    [['check', '--lim'], []],
    [['check', '--y'], []],
    [['--lim'], ['--limit']],
    [['init', '--cr'], ['--cron']],
  ])('%j', (words, expected) => {
    expect(inBash(...words)).toEqual(expected)
  })
})

test('accounts are those of the file that is meant, and none when it cannot be read', async () => {
  expect((await popfetch('completion', 'accounts', '--config', 'config.json')).stdout).toBe('work\nold-isp\n')
  expect((await popfetch('completion', 'accounts', '--config', 'other.json')).stdout).toBe('elsewhere\n')
  expect(await popfetch('completion', 'accounts', '--config', 'missing.json')).toEqual({
    code: 0,
    stdout: '',
    stderr: '',
  })
})

test('zsh and fish have every command and option, with what it does', () => {
  for (const shell of ['zsh', 'fish']) {
    for (const word of ['wake', 'completion', 'dry-run', 'log-level', 'Try accounts and destinations']) {
      expect(scripts[shell]).toContain(word)
    }
  }
})

test('an option is told with what it does in that very command (B16)', () => {
  const [yes = ''] = (scripts['fish'] ?? '')
    .split('\n')
    .filter((line) => line.includes('from init') && line.includes('-l yes '))
  expect(yes).toContain('write the file without asking')
  const check = (scripts['zsh'] ?? '').split('\n').find((line) => line.trim().startsWith('check) options='))
  expect(check).toContain('--verbose')
  expect(check).not.toMatch(/--(?:yes|limit|dry-run)/)
})

test('without a shell that is known one must be named', async () => {
  const { code, stderr } = await popfetch('completion')
  expect([code, stderr]).toEqual([64, expect.stringContaining('completion needs one of bash, zsh, fish')])
})
