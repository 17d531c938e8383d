// `popfetch init` at a terminal whose configuration cannot be written, on file systems that really are so: full, without inodes,
// read-only. What was typed goes into another file, and nothing half written stays. Mounts need root.
import { mkdir, readFile, readdir, writeFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { expect, test } from 'vitest'
import { Pop3Server } from '../support/pop3-server.ts'
import { temporaryDirectory } from './program.ts'
import { atTerminal } from './terminal.ts'

const startFile = resolve(process.env['POPFETCH'] ?? join(import.meta.dirname, '../../bin/popfetch.ts'))
const PASSWORD = 'correct horse battery'

test.each([
  ['full', 'size=8k', 'dd if=/dev/zero of=.config/popfetch/filler bs=1k count=64 2>/dev/null || true', 'no space left'],
  ['without inodes', 'nr_inodes=2', 'true', 'no space left'],
  ['read-only', 'size=64k', 'mount -o remount,ro .config', 'the file system is mounted read-only'],
])('a disk that is %s', async (_, options, then, told) => {
  await using directory = await temporaryDirectory()
  await using server = await Pop3Server.start()
  server.mailbox('alice', PASSWORD).add('Subject: 1\n\nbody\n', { uidl: 'u1' })
  const home = join(directory.path, 'home')
  await mkdir(join(home, '.config'), { recursive: true })
  // What is there afterwards is looked at while the mount is still there.
  await writeFile(
    join(directory.path, 'start'),
    `set -e\nmount -t tmpfs -o '${options}' tmpfs .config\nmkdir .config/popfetch 2>/dev/null || true\n${then}\n"$@"\nfind .config -type f ! -name filler > left\n`,
  )
  const env = { PATH: process.env['PATH'], HOME: home }
  const words = ['unshare', '--mount', 'sh', join(directory.path, 'start'), process.execPath, startFile, 'init']
  const { code, seen } = await atTerminal(words, { home, env }, [
    ['Mail address:', 'alice@localhost'],
    ['? POP3 server', '127.0.0.1'],
    ['Port and TLS', `${server.port} none`],
    ['User name there', 'alice'],
    ['Where popfetch gets it', ''],
    ['Password of alice', PASSWORD],
    ['? Where mail goes', ''],
    ['Delete from the server', '30d'],
    ['already on the server', ''],
    ['Write it to', 'yes'],
    ['Try again, stop, or', '~/elsewhere/popfetch.yaml'],
    ['Write it to', 'yes'],
  ])
  expect(code, seen).toBe(0)
  expect(seen.replaceAll(/\s+/g, ' ')).toMatch(new RegExp(`popfetch: writing [^:]*: ${told}: `))
  expect(await readFile(join(home, 'left'), 'utf8')).toBe('')
  expect((await readdir(join(home, 'elsewhere'))).toSorted()).toEqual(['alice-localhost.password', 'popfetch.yaml'])
  expect(await readFile(join(home, 'elsewhere/popfetch.yaml'), 'utf8')).toContain('delete: 30d')
})
