// How long `popfetch verify` takes, and how much memory, with many messages: `node test/verify/measure.ts [MESSAGES] [PROGRAM]` (100,000,
// and the sources). One mailbox, delivered by a poll to a Maildir, an mbox or an IMAP folder, each by itself.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { ImapServer } from '../support/imap-server.ts'
import { Pop3Server } from '../support/pop3-server.ts'

const COUNT = Number(process.argv[2] ?? 100_000)
const PROGRAM = resolve(process.argv[3] ?? join(import.meta.dirname, '../../bin/popfetch.ts'))
/** Linux counts in KiB. */
const MEASURED = `import resource, subprocess, sys, time
start = time.monotonic()
code = subprocess.call(sys.argv[1:])
used = resource.getrusage(resource.RUSAGE_CHILDREN)
print('  exit %d, %.1f s, %d MB at most' % (code, time.monotonic() - start, used.ru_maxrss / 1024), flush=True)`

await using server = await Pop3Server.start()
await using imap = await ImapServer.start()
const mailbox = server.mailbox('alice', 'secret')
for (let at = 0; at < COUNT; at++) mailbox.add(`From: a@b.example\r\nSubject: letter ${at}\r\n\r\nbody ${at}\r\n`)

const places: Readonly<Record<string, (folder: string) => object>> = {
  maildir: (folder) => ({ type: 'maildir', path: join(folder, 'Mail') }),
  mbox: (folder) => ({ type: 'mbox', path: join(folder, 'mbox') }),
  imap: () => ({ type: 'imap', host: '127.0.0.1', port: imap.port, tls: 'none', user: 'me', password: 'secret' }),
}

for (const [name, place] of Object.entries(places)) {
  const folder = await mkdtemp(join(tmpdir(), 'popfetch-measure-'))
  try {
    const { host, port } = server
    const work = { host, port, tls: 'none', user: 'alice', password: 'secret', deliver: 'inbox' }
    const text = JSON.stringify({
      state: join(folder, 'state.db'),
      accounts: { work },
      destinations: { inbox: place(folder) },
    })
    await writeFile(join(folder, 'config.json'), text, { mode: 0o600 })
    for (const words of [['poll'], ['verify'], ['verify', '--digest']]) {
      process.stdout.write(`${name}: ${words.join(' ')}\n`)
      const asked = [
        process.execPath,
        PROGRAM,
        ...words.filter((word) => word !== 'poll'),
        '--config',
        join(folder, 'config.json'),
      ]
      const child = spawn('python3', ['-c', MEASURED, ...asked], {
        stdio: ['ignore', 'inherit', 'inherit'],
        env: { ...process.env, HOME: folder },
      })
      await once(child, 'exit')
    }
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}
