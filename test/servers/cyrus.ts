// A private Cyrus: its master with POP3 over TLS and LMTP, mail put in over LMTP as its users' mail comes.
import { chown, mkdir, readFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { caFile, certificates } from '../support/certificates.ts'
import type { OtherServer } from './other-server.ts'
import { childrenOf, freePort, greets, runProgram, startProgram } from './program.ts'
import { password, serverRoot } from './unpacked.ts'

const cyrus = { uid: 901, gid: 8 } as const

const imapdConf = (quotaKilobytes: number): string => `configdirectory: /var/lib/cyrus
defaultpartition: default
partition-default: /var/spool/cyrus/mail
allowplaintext: yes
sasl_pwcheck_method: auxprop
sasl_auxprop_plugin: sasldb
sasl_mech_list: PLAIN LOGIN
sasl_sasldb_path: /var/lib/cyrus/sasldb2
autocreate_quota: ${quotaKilobytes}
autocreate_post: yes
lmtpsocket: /run/cyrus/socket/lmtp
proc_path: /run/cyrus/proc
mboxname_lockpath: /run/cyrus/lock
servername: localhost
virtdomains: off
unixhierarchysep: yes
altnamespace: no
duplicatesuppression: no
popminpoll: 0
tls_server_cert: /etc/server.pem
tls_server_key: /etc/server.key
`

export interface Cyrus extends OtherServer {
  /** Without TLS. */
  readonly imapPort: number
  /** Ends all its IMAP processes with `kill -9`. */
  killImap(): Promise<void>
}

/** Never exclusive; QUIT is always answered +OK; LOGIN-DELAY 0 (A10). `quotaKilobytes`: of alice; 0: none. */
export async function startCyrus({ quotaKilobytes = 0 } = {}): Promise<Cyrus> {
  await using stack = new AsyncDisposableStack()
  const packages = ['cyrus-pop3d', 'cyrus-imapd', 'sasl2-bin', 'tzdata']
  const root = stack.use(await serverRoot('cyrus', packages))
  const plainPort = await freePort()
  const port = await freePort()
  const imapPort = await freePort()
  await root.write('etc/imapd.conf', imapdConf(quotaKilobytes))
  await root.write(
    'etc/cyrus.conf',
    `START { recover cmd="ctl_cyrusdb -r" }
SERVICES {
  pop3 cmd="pop3d" listen="127.0.0.1:${plainPort}"
  imap cmd="imapd" listen="127.0.0.1:${imapPort}"
  pop3s cmd="pop3d -s" listen="127.0.0.1:${port}"
  lmtpunix cmd="lmtpd" listen="/run/cyrus/socket/lmtp"
}
EVENTS { }
`,
  )
  const { certificate, key } = certificates.good
  await root.write('etc/server.pem', certificate)
  await root.write('etc/server.key', key)
  const state = ['', 'db', 'socket', 'log', 'msg', 'proc', 'quota', 'user', 'lock', 'ptclient', 'sieve', 'sync']
  const directories = [
    ...state.map((part) => `var/lib/cyrus/${part}`),
    'var/spool/cyrus',
    'var/spool/cyrus/mail',
    'run/cyrus',
    ...['socket', 'lock', 'proc'].map((part) => `run/cyrus/${part}`),
  ]
  for (const directory of directories) {
    await mkdir(join(root.path, directory), { recursive: true })
    await chown(join(root.path, directory), cyrus.uid, cyrus.gid)
  }
  const setPassword = `printf %s "$2" | chroot "$1" /usr/sbin/saslpasswd2 -c -p -f /var/lib/cyrus/sasldb2 -u localhost alice`
  await runProgram('bash', ['-o', 'pipefail', '-c', setPassword, 'bash', root.path, password], root.path)
  await chown(join(root.path, 'var/lib/cyrus/sasldb2'), cyrus.uid, cyrus.gid)

  const master = ['/usr/lib/cyrus/bin/master', '-D', '-C', '/etc/imapd.conf', '-M', '/etc/cyrus.conf']
  const running = stack.use(await startProgram('chroot', [root.path, ...master], root.path))
  await greets(plainPort, '+OK', () => running.output(), 30_000)
  await greets(imapPort, '* OK', () => running.output(), 30_000)
  const lmtp = join(root.path, 'run/cyrus/socket/lmtp')
  const ending = stack.move()
  return {
    tls: 'implicit',
    port,
    imapPort,
    ca: caFile,
    async killImap() {
      for (const pid of await childrenOf(running.pid)) {
        const name = await readFile(`/proc/${pid}/comm`, 'utf8').catch(() => '')
        if (name.trim() === 'imapd') process.kill(pid, 'SIGKILL')
      }
    },
    output: () => running.output(),
    put: (messages) => deliver(lmtp, messages),
    [Symbol.asyncDispose]: () => ending.disposeAsync(),
  }
}

/** LMTP to alice (RFC 2033), one answer at a time. */
async function deliver(path: string, messages: readonly Buffer[]): Promise<void> {
  const socket = connect(path)
  const lines = createInterface(socket)[Symbol.asyncIterator]()
  const answer = async (code: string): Promise<void> => {
    for (;;) {
      const { value, done } = await lines.next()
      if (done === true || !value.startsWith(code)) throw new Error(`LMTP: ${value} instead of ${code}`)
      if (!value.startsWith(`${code}-`)) return
    }
  }
  const say = async (line: string, code: string): Promise<void> => {
    socket.write(`${line}\r\n`)
    await answer(code)
  }
  await answer('220')
  await say('LHLO localhost', '250')
  for (const message of messages) {
    await say('MAIL FROM:<sender@source.test>', '250')
    await say('RCPT TO:<alice>', '250')
    await say('DATA', '354')
    const stuffed = message.toString('latin1').replaceAll('\n', '\r\n').replaceAll(/^\./gm, '..')
    socket.write(Buffer.from(stuffed, 'latin1'))
    await say('.', '250')
  }
  await say('QUIT', '221')
  socket.destroy()
}
