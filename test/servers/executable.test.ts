// The single executable, in a root directory where there is nothing but the C and C++ libraries.
import { copyFile, mkdir, readdir, realpath } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { Pop3Server } from '../support/pop3-server.ts'
import { checkout, npmRun } from './checkout.ts'
import { CHROOT, type Ended, run } from './debian-tree.ts'
import { isRoot, runProgram } from './program.ts'

describe.skipIf(!isRoot)(
  `the single executable${isRoot ? '' : ' [only root can run in a root directory of its own]'}`,
  () => {
    test('fetches mail, runs in the background and copies its ledger where there is nothing but the C and C++ libraries', async () => {
      await using copy = await checkout([
        '.build',
        '.rolldown.config.js',
        'bin',
        'package.json',
        'src',
        'tsconfig.json',
      ])
      const root = join(copy.path, 'root')
      await npmRun(copy, 'package:sea', join(root, 'popfetch'))
      const { stdout } = await run('ldd', [join(root, 'popfetch')])
      const libraries = [...stdout.matchAll(/(\/\S+) \(0x/g)].map(([, file = '']) => file)
      expect(new Set(libraries.map((file) => /^[a-z_+]+/.exec(basename(file))?.[0]))).toEqual(
        new Set(['ld', 'libc', 'libdl', 'libgcc_s', 'libm', 'libpthread', 'libstdc++']),
      )
      for (const file of libraries) {
        await mkdir(join(root, dirname(file)), { recursive: true })
        await copyFile(await realpath(file), join(root, file))
      }
      await mkdir(join(root, 'dev'))
      await mkdir(join(root, 'home'))
      await runProgram('mknod', ['-m', '666', join(root, 'dev/null'), 'c', '1', '3'], root)
      await runProgram('chown', ['4711:4711', join(root, 'home')], root)

      await using server = await Pop3Server.start()
      server.mailbox('alice', 'secret').add('Subject: one\n\nbody\n', { uidl: 'u1' })
      const { host, port } = server
      const account = { host, port, tls: 'none', user: 'alice', password: 'secret', deliver: 'maildir:/home/Mail' }
      const env = { HOME: '/home', POPFETCH_CONFIG_YAML: JSON.stringify({ accounts: { work: account } }) }
      const popfetch = async (...words: string[]): Promise<Ended> =>
        await run(CHROOT, ['--userspec=4711:4711', '--groups=', root, '/popfetch', ...words], env)
      expect(await popfetch()).toEqual({ status: 0, stdout: '', stderr: '' })
      expect(await readdir(join(root, 'home/Mail/new'))).toHaveLength(1)
      expect(await popfetch('--daemon')).toEqual({ status: 0, stdout: '', stderr: '' })
      expect((await popfetch('wake')).status).toBe(0)
      expect(await popfetch('status', '--check')).toMatchObject({ status: 0, stdout: 'all is well\n' })
      expect(await popfetch('stop')).toMatchObject({ status: 0 })
      expect(await popfetch('state', 'backup', '/home/copy')).toMatchObject({ status: 0, stderr: '' })
      expect((await popfetch('state', 'list', 'work', '--state', '/home/copy', '--json')).stdout).toContain('"u1"')
      // What is loaded at first use is there.
      for (const words of [['--help'], ['config', 'schema'], ['config', 'show'], ['completion', 'bash']])
        expect([words, await popfetch(...words)]).toEqual([words, expect.objectContaining({ status: 0, stderr: '' })])
    })
  },
)
