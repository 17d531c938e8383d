// What the tests ask of a real IMAP server that is not Dovecot, and the two there are: Courier and Cyrus. Each has one mailbox, of
// `alice`, without TLS on loopback.
import { chown, mkdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { startCyrus } from './cyrus.ts'
import { startInetd } from './inetd.ts'
import { startProgram } from './program.ts'
import { alice, serverRoot, type ServerRoot } from './unpacked.ts'

export interface OtherImap extends AsyncDisposable {
  readonly port: number
  /** Ends all its sessions with `kill -9`. */
  killSessions(): Promise<void>
  output(): string
}

export interface ImapKind {
  readonly name: string
  /** What its names begin with, but for INBOX; and what stands between their parts. */
  readonly prefix: string
  readonly delimiter: string
  readonly start: (quotaBytes?: number) => Promise<OtherImap>
}

export const otherImaps: readonly ImapKind[] = [
  { name: 'Courier', prefix: 'INBOX.', delimiter: '.', start: startCourierImap },
  { name: 'Cyrus', prefix: 'INBOX/', delimiter: '/', start: startCyrusImap },
]

/** UIDPLUS, but neither LITERAL+ nor MULTIAPPEND; every folder stands below INBOX. */
async function startCourierImap(quotaBytes?: number): Promise<OtherImap> {
  await using stack = new AsyncDisposableStack()
  const root = stack.use(await serverRoot('courier-imap', ['courier-imap', 'libpam-modules']))
  const maildir = await courierHome(root)
  await root.write('etc/pam.d/imap', 'auth required pam_unix.so\naccount required pam_unix.so\n')
  if (quotaBytes !== undefined) {
    await root.write('home/alice/Maildir/maildirsize', `${quotaBytes}S\n0 0\n`)
    await chown(join(maildir, 'maildirsize'), alice.uid, alice.gid)
  }
  const authentication = stack.use(await courierAuthentication(root))
  const settings = await readFile(join(root.path, 'etc/courier/imapd'), 'utf8')
  const [, capability = ''] = /^IMAP_CAPABILITY="(.*)"$/m.exec(settings) ?? []
  const inetd = stack.use(
    await startInetd(['chroot', root.path, '/usr/lib/courier/courier/imaplogin', '/usr/bin/imapd', 'Maildir'], {
      MAILDIRPATH: 'Maildir',
      TCPLOCALIP: '127.0.0.1',
      TCPLOCALPORT: '143',
      IMAP_CAPABILITY: capability,
      IMAP_CAPABILITY_TLS: capability,
      IMAP_KEYWORDS: '1',
      // Below a root of its own each of its locks takes a second.
      IMAP_USELOCKS: '0',
      IMAP_IDLE_TIMEOUT: '60',
      IMAP_TLS_REQUIRED: '0',
    }),
  )
  const ending = stack.move()
  return {
    port: inetd.port,
    killSessions: () => Promise.resolve(inetd.killAll()),
    output: () => `${inetd.output()}${authentication.output()}`,
    [Symbol.asyncDispose]: () => ending.disposeAsync(),
  }
}

/** LITERAL+, MULTIAPPEND, UIDPLUS, BINARY; folders of alice stand below INBOX. */
async function startCyrusImap(quotaBytes?: number): Promise<OtherImap> {
  const server = await startCyrus({ quotaKilobytes: quotaBytes === undefined ? 0 : Math.ceil(quotaBytes / 1024) })
  return {
    port: server.imapPort,
    killSessions: () => server.killImap(),
    output: () => server.output(),
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  }
}

/** The Maildir of alice, empty. */
export async function courierHome(root: ServerRoot): Promise<string> {
  for (const directory of ['home/alice', ...['', '/new', '/cur', '/tmp'].map((part) => `home/alice/Maildir${part}`)]) {
    await mkdir(join(root.path, directory), { recursive: true })
    await chown(join(root.path, directory), alice.uid, alice.gid)
  }
  return join(root.path, 'home/alice/Maildir')
}

export async function courierAuthentication(root: ServerRoot) {
  await mkdir(join(root.path, 'run/courier/authdaemon'), { recursive: true })
  const authdaemonrc = join(root.path, 'etc/courier/authdaemonrc')
  const usual = await readFile(authdaemonrc, 'utf8')
  await root.write('etc/courier/authdaemonrc', usual.replace(/^daemons=.*/m, 'daemons=1'))
  return await startProgram('chroot', [root.path, '/usr/lib/courier/courier-authlib/authdaemond'], root.path)
}
