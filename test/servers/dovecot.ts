// A private Dovecot: its own directory, ports, certificate and accounts, no trace of it left afterwards. Mail is put into
// its mailboxes as files; what it then says over POP3 is Dovecot's own doing.
import { createHash } from 'node:crypto'
import { createWriteStream } from 'node:fs'
import { chown, mkdir, readFile, readdir, writeFile } from 'node:fs/promises'
import { userInfo } from 'node:os'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { makeCertificate, type Certificate } from './certificate.ts'
import { dovecotConfig } from './dovecot-config.ts'
import { makeMessage } from './mail.ts'
import { layDownIntrospection, layDownTokenKey } from './token.ts'
import {
  childrenOf,
  debianMailUser,
  findProgram,
  freePort,
  greets,
  isRoot,
  runProgram,
  startProgram,
  temporaryDirectory,
} from './program.ts'

export interface DovecotOptions {
  /** Where its directory is made: /dev/shm for speed; the system's temporary directory by default. */
  readonly parent?: string
  readonly mechanisms?: readonly string[]
  /** XOAUTH2 and OAUTHBEARER with access tokens made by `accessToken` (token.ts), or by an authorization server that Dovecot asks at
   *  this address. */
  readonly tokens?: boolean | { readonly introspection: string }
  readonly flagUpdates?: boolean
  /** It takes mail over LMTP too: in the package dovecot-lmtpd. */
  readonly lmtp?: boolean
  /** Its mailboxes can be reached over IMAP: in the package dovecot-imapd. */
  readonly imap?: boolean
  /** It passes mail on to the SMTP server at this port: in the package dovecot-submissiond. */
  readonly submission?: { readonly relayPort: number }
  /** Over IMAP a mailbox takes no more. */
  readonly quotaBytes?: number
}

export interface Mailbox {
  readonly user: string
  readonly maildir: string
}

export interface Dovecot extends AsyncDisposable {
  readonly pop3Port: number
  readonly pop3sPort: number
  /** Where LMTP is spoken, when it is. */
  readonly lmtpPort: number
  readonly lmtpSocket: string
  /** Where IMAP is spoken, when it is. */
  readonly imapPort: number
  readonly imapsPort: number
  /** Where mail to pass on is taken, when it is. */
  readonly submissionPort: number
  readonly submissionsPort: number
  readonly certificate: Certificate
  readonly version: string
  /** Of every mailbox. */
  readonly password: string
  /** Makes the mailbox if need be. */
  mailbox(user: string): Promise<Mailbox>
  /** Adds `count` messages with LF line ends, written by `makeMessage(0)` … `makeMessage(count - 1)`. */
  seed(user: string, count: number, makeMessage: (index: number) => Buffer): Promise<void>
  /** Adds one message of about `sizeBytes`, written in pieces; gives the SHA-256 of its file. */
  seedLarge(user: string, sizeBytes: number): Promise<string>
  /** How many messages lie in the mailbox's files. */
  remaining(user: string): Promise<number>
  log(): Promise<string>
  /** Ends all its processes for IMAP sessions that are signed in with `kill -9`. */
  killImap(): Promise<void>
}

/** What `apt-get install` is to be given. */
export const dovecotPackages = 'dovecot-core dovecot-imapd dovecot-pop3d dovecot-lmtpd dovecot-submissiond openssl'

async function tokenKeys(directory: string, { tokens }: DovecotOptions): Promise<string | null> {
  if (typeof tokens === 'object') return await layDownIntrospection(directory, tokens.introspection)
  return tokens === true ? await layDownTokenKey(directory) : null
}

export async function startDovecot(options: DovecotOptions = {}): Promise<Dovecot> {
  await using stack = new AsyncDisposableStack()
  const dovecot = await findProgram('dovecot', dovecotPackages)
  const directory = stack.use(await temporaryDirectory(options.parent)).path
  const mailUser = isRoot ? debianMailUser : { uid: userInfo().uid, gid: userInfo().gid }
  const version = (await runProgram(dovecot, ['--version'], directory)).trim()
  const certificate = await makeCertificate(directory)
  const pop3Port = await freePort()
  const pop3sPort = await freePort()
  const lmtpPort = await freePort()
  const imapPort = await freePort()
  const imapsPort = await freePort()
  const submissionPort = await freePort()
  const submissionsPort = await freePort()
  const lmtpSocket = join(directory, 'lmtp')
  const password = 'correct-horse'
  const configFile = join(directory, 'dovecot.conf')
  await mkdir(join(directory, 'state'))
  await writeFile(
    configFile,
    dovecotConfig(version, {
      directory,
      pop3Port,
      pop3sPort,
      lmtp: options.lmtp === true ? { port: lmtpPort, socket: lmtpSocket } : null,
      imap:
        options.imap === true ? { port: imapPort, tlsPort: imapsPort, quotaBytes: options.quotaBytes ?? null } : null,
      submission:
        options.submission === undefined
          ? null
          : { port: submissionPort, tlsPort: submissionsPort, relayPort: options.submission.relayPort },
      certificate,
      password,
      tokenKeys: await tokenKeys(directory, options),
      mechanisms: options.mechanisms ?? ['plain', 'login', 'cram-md5', 'scram-sha-1', 'scram-sha-256'],
      flagUpdates: options.flagUpdates ?? true,
      mailUser,
      startedBy: isRoot
        ? null
        : { user: userInfo().username, group: (await runProgram('id', ['-gn'], directory)).trim() },
    }),
  )
  const log = (): Promise<string> => readFile(join(directory, 'dovecot.log'), 'utf8').catch(() => '')
  const running = stack.use(await startProgram(dovecot, ['-F', '-c', configFile], directory))
  await Promise.race([
    greets(pop3Port, '+OK', () => running.output()),
    running.exited.then(async (code) => {
      throw new Error(`dovecot ended with ${code}: ${running.output()}${await log()}`)
    }),
  ])

  if (options.lmtp === true) await greets(lmtpPort, '220', () => running.output())
  if (options.imap === true) await greets(imapPort, '* OK', () => running.output())
  if (options.submission !== undefined) await greets(submissionPort, '220', () => running.output())

  const own = async (path: string): Promise<void> => {
    if (isRoot) await chown(path, mailUser.uid, mailUser.gid)
  }
  const mailbox = async (user: string): Promise<Mailbox> => {
    const maildir = join(directory, 'mail', user)
    for (const path of [
      join(directory, 'mail'),
      maildir,
      ...['cur', 'new', 'tmp'].map((part) => join(maildir, part)),
    ]) {
      await mkdir(path, { recursive: true })
      await own(path)
    }
    return { user, maildir }
  }

  let seeded = 0
  const ending = stack.move()
  return {
    pop3Port,
    pop3sPort,
    lmtpPort,
    imapPort,
    imapsPort,
    submissionPort,
    submissionsPort,
    lmtpSocket,
    certificate,
    version,
    password,
    mailbox,
    log,
    async seed(user, count, makeMessage) {
      const { maildir } = await mailbox(user)
      for (let index = 0; index < count; index++) {
        const message = makeMessage(index)
        // S and W tell Dovecot the sizes on disk and on the wire; without them it reads every message before LIST.
        const sizes = `S=${message.length},W=${message.length + countLines(message)}`
        const path = join(maildir, 'cur', `${1_700_000_000 + seeded++}.M${index}.test,${sizes}:2,`)
        await writeFile(path, message)
        await own(path)
      }
    },
    async seedLarge(user, sizeBytes) {
      const { maildir } = await mailbox(user)
      const head = makeMessage(seeded)
      const block = Buffer.from(`${'x'.repeat(71)}\n`.repeat(14_564))
      const blocks = Math.ceil((sizeBytes - head.length) / block.length)
      const written = head.length + blocks * block.length
      const sizes = `S=${written},W=${written + countLines(head) + blocks * countLines(block)}`
      const path = join(maildir, 'cur', `${1_700_000_000 + seeded++}.M0.test,${sizes}:2,`)
      const hash = createHash('sha256')
      const pieces = function* (): Generator<Buffer> {
        yield head
        for (let count = 0; count < blocks; count++) yield block
      }
      await pipeline(
        pieces,
        async function* (source) {
          for await (const piece of source) {
            hash.update(piece)
            yield piece
          }
        },
        createWriteStream(path),
      )
      await own(path)
      return hash.digest('hex')
    },
    async killImap() {
      for (const pid of await childrenOf(running.pid)) {
        const name = await readFile(`/proc/${pid}/comm`, 'utf8').catch(() => '')
        if (name.trim() === 'imap') process.kill(pid, 'SIGKILL')
      }
    },
    async remaining(user) {
      const { maildir } = await mailbox(user)
      const lists = await Promise.all(['cur', 'new'].map((part) => readdir(join(maildir, part))))
      return lists.flat().length
    },
    [Symbol.asyncDispose]: () => ending.disposeAsync(),
  }
}

/** Lines that gain a CR on the wire: those that end in LF without one. */
function countLines(message: Buffer): number {
  let count = 0
  for (let at = message.indexOf(10); at !== -1; at = message.indexOf(10, at + 1)) if (message[at - 1] !== 13) count++
  return count
}
