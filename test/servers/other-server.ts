// What the tests ask of a real POP3 server that is not Dovecot, and the four there are. Each has one mailbox, of `alice`, and
// is found at one port; how it comes to its mail is its own affair.
import { chown, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { caFile, certificates } from '../support/certificates.ts'
import { startCyrus } from './cyrus.ts'
import { startInetd } from './inetd.ts'
import { courierAuthentication, courierHome } from './other-imap.ts'
import { alice, serverRoot, type ServerRoot } from './unpacked.ts'

export interface OtherServer extends AsyncDisposable {
  readonly tls: 'none' | 'starttls' | 'implicit'
  readonly port: number
  readonly ca: string | null
  /** Puts messages with LF line ends into the mailbox, behind those that are there. */
  put(messages: readonly Buffer[]): Promise<void>
  output(): string
}

type Start = () => Promise<OtherServer>

export const otherServers: readonly { readonly name: string; readonly start: Start }[] = [
  { name: 'popa3d', start: startPopa3d },
  { name: 'GNU mailutils pop3d', start: startMailutils },
  { name: 'Courier', start: startCourier },
  { name: 'Cyrus', start: startCyrus },
]

/** UIDLs are hashes of a few header fields; neither CAPA nor STLS (A10). */
async function startPopa3d(): Promise<OtherServer> {
  await using stack = new AsyncDisposableStack()
  const root = stack.use(await serverRoot('popa3d', ['popa3d', 'libpam-modules']))
  const inetd = stack.use(await startInetd(['chroot', root.path, '/usr/sbin/popa3d'], {}))
  return await mboxServer(root, { ...serving(inetd, stack.move()), tls: 'none', ca: null })
}

/** Writes its UIDLs into the messages, as X-UIDL. */
async function startMailutils(): Promise<OtherServer> {
  await using stack = new AsyncDisposableStack()
  const root = stack.use(await serverRoot('mailutils', ['mailutils-pop3d']))
  await putCertificate(root)
  await root.write(
    'etc/pop3d.conf',
    `mailbox { mail-spool /var/mail; mailbox-type mbox; };
auth { authentication "generic:system"; authorization "system"; };
logging { syslog no; };
tls { ssl-certificate-file /etc/server.pem; ssl-key-file /etc/server.key; };
tls-file-checks { key-file none; cert-file none; };
tls-mode required;
`,
  )
  const command = ['chroot', root.path, '/usr/sbin/pop3d', '--inetd', '--config-file=/etc/pop3d.conf']
  const inetd = stack.use(await startInetd(command, {}))
  return await mboxServer(root, { ...serving(inetd, stack.move()), tls: 'starttls', ca: caFile })
}

function serving(inetd: { readonly port: number; output(): string }, stack: AsyncDisposableStack) {
  return { port: inetd.port, output: () => inetd.output(), [Symbol.asyncDispose]: () => stack.disposeAsync() }
}

async function putCertificate(root: ServerRoot): Promise<void> {
  const { certificate, key } = certificates.good
  await root.write('etc/server.pem', certificate)
  await root.write('etc/server.key', key)
  // Courier reads it when it is root no more.
  await root.write('etc/both.pem', `${key}${certificate}`)
}

async function mboxServer(root: ServerRoot, server: Omit<OtherServer, 'put'>): Promise<OtherServer> {
  const file = join(root.path, 'var/mail/alice')
  await root.write('var/mail/alice', '', 0o660)
  await chown(file, alice.uid, alice.gid)
  return {
    ...server,
    async put(messages) {
      const text = messages.map((message) => {
        const body = message.toString('latin1').replaceAll(/^(>*From )/gm, '>$1')
        return `From sender@source.test Mon Jan  1 00:00:00 2024\n${body}\n`
      })
      await writeFile(file, text.join(''), { encoding: 'latin1', flag: 'a' })
    },
  }
}

/** No lock, UIDLs made when a message is first seen, an answer before the files are removed (A10). */
async function startCourier(): Promise<OtherServer> {
  await using stack = new AsyncDisposableStack()
  const root = stack.use(await serverRoot('courier', ['courier-pop', 'libpam-modules']))
  await putCertificate(root)
  const maildir = await courierHome(root)
  const chroot = ['chroot', root.path]
  const authentication = stack.use(await courierAuthentication(root))
  const [login, transaction] = ['courierpop3login', 'courierpop3d'].map((name) => `/usr/lib/courier/courier/${name}`)
  const inetd = stack.use(
    await startInetd([...chroot, login ?? '', transaction ?? '', 'Maildir'], {
      MAILDIRPATH: 'Maildir',
      TCPLOCALIP: '127.0.0.1',
      TCPLOCALPORT: '110',
      POP3AUTH: '',
      POP3_STARTTLS: 'YES',
      POP3_TLS_REQUIRED: '1',
      COURIERTLS: '/usr/bin/couriertls',
      TLS_CERTFILE: '/etc/both.pem',
      TLS_VERIFYPEER: 'NONE',
    }),
  )
  let put = 0
  return {
    ...serving({ port: inetd.port, output: () => `${inetd.output()}${authentication.output()}` }, stack.move()),
    tls: 'starttls',
    ca: caFile,
    async put(messages) {
      for (const message of messages) {
        const file = join(maildir, 'new', `${1_700_000_000 + put++}.M${put}.source`)
        await writeFile(file, message)
        await chown(file, alice.uid, alice.gid)
      }
    },
  }
}
