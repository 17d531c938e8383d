// Completion: the script for bash in a real bash; those for zsh and fish by their words, and in their shells where they are
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
  writeFileSync(join(directory, 'config.json'), JSON.stringify({ accounts: { work: account, 'old-isp': account } }), {
    mode: 0o600,
  })
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

test('without a shell that is known one must be named', async () => {
  const { code, stderr } = await popfetch('completion')
  expect([code, stderr]).toEqual([64, expect.stringContaining('completion needs one of bash, zsh, fish')])
})
