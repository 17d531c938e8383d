// A small IMAP server for tests: folders in memory, and faults set by assignment. It speaks real TCP or TLS, and knows the commands
// that an imap destination says. Each answer it gives is a step that a test may fail, hold or count.
import { once } from 'node:events'
import * as net from 'node:net'
import * as tls from 'node:tls'
import { certificates, type CertificateKind } from './certificates.ts'

/** `NO [OVERQUOTA] full`, `BAD what`: that answer. `* BYE words`: said, and the connection ended. `drop`: the connection is cut
 *  instead of an answer. `stall`: no answer ever. `lost`: as `drop`, but what was asked is done. null: as a healthy server. */
export type ImapReply = string | null

/** The command in upper case, without UID in front (`GREETING` before the first), and all that follows it. */
export type Asked = { readonly command: string; readonly rest: string }

export interface StoredMessage {
  readonly uid: number
  readonly bytes: Buffer
  readonly flags: readonly string[]
  readonly date: string | null
  labels: string
}

export class ImapFolder {
  readonly messages: StoredMessage[] = []
  uidNext = 1
  uidValidity = 7
  subscribed = false
  specialUse = ''
  /** Null: it does not say. */
  /** APPENDLIMIT in STATUS; null: NIL. */
  limit: number | null = null
  permanentFlags: string | null = '\\Seen \\Flagged \\*'
}

export interface ImapServerOptions {
  readonly tls?: 'none' | 'implicit' | 'starttls'
  readonly certificate?: CertificateKind
  readonly users?: Readonly<Record<string, string>>
  readonly capabilities?: string
  readonly prefix?: string
  /** '': it has no levels (NIL). */
  readonly delimiter?: string
  /** Those of other people, and those that are shared, as NAMESPACE tells them. */
  readonly otherNamespaces?: string
  readonly greeting?: string
}

export class ImapServer implements AsyncDisposable {
  readonly folders = new Map<string, ImapFolder>([['INBOX', new ImapFolder()]])
  /** Every command, and every line that was sent to it after a `+`. */
  readonly said: string[] = []
  answer: (asked: Asked) => ImapReply | Promise<ImapReply> = () => null
  /** In units of 1,024 bytes, and messages; null: it tells of no quota (capability QUOTA). */
  quota: { readonly usage: number; readonly limit: number; readonly resource: 'STORAGE' | 'MESSAGE' } | null = null
  /** It says LITERAL+, and takes what follows for commands. */
  liesOfLiterals = false
  /** Messages that it does not take, and what it says then. */
  refuses: (bytes: Buffer) => boolean = () => false
  refusal = 'not so'
  /** Of several with one command it keeps those in front of the one that it does not take, against RFC 3502. */
  takesHalf = false
  /** Called when a part of a message came with APPEND. */
  onLiteral: () => void = () => {}
  /** How many messages each APPEND had. */
  readonly commands: number[] = []
  /** Messages that came, taken or not. */
  received = 0
  connections = 0
  peak = 0
  readonly options: Required<ImapServerOptions>
  readonly #sockets = new Set<net.Socket>()
  readonly #server: net.Server

  private constructor(options: ImapServerOptions) {
    this.options = {
      tls: 'none',
      certificate: 'good',
      users: { me: 'secret' },
      capabilities: 'LITERAL+ UIDPLUS NAMESPACE AUTH=PLAIN AUTH=XOAUTH2 SASL-IR',
      prefix: '',
      delimiter: '/',
      otherNamespaces: 'NIL NIL',
      greeting: '* OK ready',
      ...options,
    }
    const { certificate, key } = certificates[this.options.certificate]
    const accept = (socket: net.Socket): void => this.#accept(socket)
    this.#server =
      this.options.tls === 'implicit' ? tls.createServer({ cert: certificate, key }, accept) : net.createServer(accept)
  }

  static async start(options: ImapServerOptions = {}): Promise<ImapServer> {
    const server = new ImapServer(options)
    server.#server.listen(0, '127.0.0.1')
    await once(server.#server, 'listening')
    return server
  }

  get port(): number {
    const address = this.#server.address()
    return typeof address === 'object' && address !== null ? address.port : 0
  }

  get inbox(): ImapFolder {
    return this.folder('INBOX')
  }

  folder(name: string): ImapFolder {
    let folder = this.folders.get(name)
    if (folder === undefined) this.folders.set(name, (folder = new ImapFolder()))
    return folder
  }

  /** Cuts every connection. */
  crash(): void {
    for (const socket of this.#sockets) socket.destroy()
  }

  /** Ends every connection, with these words. */
  async end(words: string): Promise<void> {
    const closed = [...this.#sockets].map((socket) => once(socket, 'close'))
    for (const socket of this.#sockets) socket.end(words)
    await Promise.all(closed)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = once(this.#server, 'close')
    this.#server.close()
    this.crash()
    await closed
  }

  #accept(socket: net.Socket): void {
    // It writes line by line.
    socket.setNoDelay()
    this.connections += 1
    this.#sockets.add(socket)
    this.peak = Math.max(this.peak, this.#sockets.size)
    socket.on('error', () => {})
    socket.on('close', () => this.#sockets.delete(socket))
    void new Conversation(this, socket).talk().catch(() => socket.destroy())
  }
}

class Ended extends Error {}

class Conversation {
  readonly #server: ImapServer
  #socket: net.Socket
  #buffer = Buffer.alloc(0)
  #more: (() => void) | null = null
  #selected: ImapFolder | null = null
  #ended = false
  #isSecured = false

  constructor(server: ImapServer, socket: net.Socket) {
    this.#server = server
    this.#socket = socket
    this.#listen(socket)
  }

  async talk(): Promise<void> {
    const { greeting } = this.#server.options
    const fault = await this.#ask({ command: 'GREETING', rest: '' })
    this.#send(fault ?? greeting)
    for (;;) {
      const line = await this.#wholeLine()
      this.#server.said.push(line)
      const [, tag = '*', uid = '', word = '', rest = ''] = /^(\S+) (UID )?(\S+) ?(.*)$/is.exec(line) ?? []
      const command = word.toUpperCase()
      if (await this.#command(tag, command, rest, uid !== '')) return
    }
  }

  #listen(socket: net.Socket): void {
    socket.on('data', (chunk: Buffer) => {
      this.#buffer = Buffer.concat([this.#buffer, chunk])
      this.#more?.()
    })
    socket.on('close', () => {
      if (socket !== this.#socket) return
      this.#ended = true
      this.#more?.()
    })
  }

  async #wait(): Promise<void> {
    if (this.#ended) throw new Ended()
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#more = resolve
    await promise
    this.#more = null
  }

  async #line(): Promise<string> {
    for (;;) {
      const end = this.#buffer.indexOf('\r\n')
      if (end >= 0) {
        const line = this.#buffer.toString('latin1', 0, end)
        this.#buffer = this.#buffer.subarray(end + 2)
        return line
      }
      await this.#wait()
    }
  }

  /** With literals in place, but for that of APPEND. */
  async #wholeLine(): Promise<string> {
    let line = await this.#line()
    for (;;) {
      const [marker, size = '0'] = /\{(\d+)\+\}$/.exec(line) ?? []
      if (marker === undefined || this.#server.liesOfLiterals || /^\S+ APPEND /i.test(line)) return line
      const literal = await this.#bytes(Number(size))
      line = `${line.slice(0, -marker.length)}${literal.toString('latin1')}${await this.#line()}`
    }
  }

  async #bytes(count: number): Promise<Buffer> {
    while (this.#buffer.length < count) await this.#wait()
    const bytes = Buffer.from(this.#buffer.subarray(0, count))
    this.#buffer = this.#buffer.subarray(count)
    return bytes
  }

  #send(line: string): void {
    this.#socket.write(`${line}\r\n`, 'latin1')
  }

  /** Null: go on. What is not to be answered as usual is done here. */
  async #ask(asked: Asked, done?: () => void): Promise<string | null> {
    const reply = await this.#server.answer(asked)
    if (reply === null) {
      done?.()
      return null
    }
    if (reply === 'lost') done?.()
    if (reply === 'drop' || reply === 'lost') {
      this.#socket.destroy()
      throw new Ended()
    }
    if (reply === 'stall') await new Promise(() => {})
    if (reply.startsWith('* BYE')) {
      this.#socket.end(`${reply}\r\n`)
      throw new Ended()
    }
    return reply
  }

  /** Answers; true: the conversation is over. */
  async #command(tag: string, command: string, rest: string, byUid: boolean): Promise<boolean> {
    if (command === 'APPEND') return await this.#append(tag, rest)
    const fault = await this.#ask({ command, rest })
    if (fault !== null) {
      this.#send(`${tag} ${fault}`)
      return false
    }
    const { capabilities, prefix, delimiter, otherNamespaces, users } = this.#server.options
    const between = delimiter === '' ? 'NIL' : quoted(delimiter)
    const ok = (text = 'done'): void => this.#send(`${tag} OK ${text}`)
    const no = (text: string): void => this.#send(`${tag} NO ${text}`)
    const name = nameIn(rest)
    switch (command) {
      case 'CAPABILITY': {
        const starttls = this.#server.options.tls === 'starttls' && !this.#isSecured
        this.#send(`* CAPABILITY IMAP4rev1 ${starttls ? 'STARTTLS LOGINDISABLED' : capabilities}`)
        ok()
        break
      }
      case 'STARTTLS': {
        ok()
        const { certificate, key } = certificates[this.#server.options.certificate]
        const plain = this.#socket
        plain.removeAllListeners('data')
        const secured = new tls.TLSSocket(plain, { isServer: true, cert: certificate, key })
        secured.on('error', () => plain.destroy())
        this.#socket = secured
        this.#isSecured = true
        this.#listen(secured)
        break
      }
      case 'LOGIN': {
        const [, user = '', password = ''] = /^"?([^" ]*)"? "?([^"]*)"?$/.exec(rest) ?? []
        if (users[user] === password) ok()
        else no('[AUTHENTICATIONFAILED] wrong user name or password')
        break
      }
      case 'AUTHENTICATE': {
        const [, given] = rest.split(' ')
        if (given === undefined) this.#send('+ ')
        const sent = Buffer.from(given ?? (await this.#line()), 'base64').toString()
        const fields = sent.split('\u0001')
        const [, bearer = ''] = /^(?:user=|n,a=)([^,]*)/.exec(fields[0] ?? '') ?? []
        const token = fields.find((each) => each.startsWith('auth=Bearer '))?.slice('auth=Bearer '.length) ?? ''
        const [user = '', password = ''] = bearer === '' ? sent.split('\0').slice(1) : [bearer, token]
        if (users[user] === password) ok()
        else no('[AUTHENTICATIONFAILED] wrong user name or password')
        break
      }
      case 'NAMESPACE':
        this.#send(`* NAMESPACE (("${prefix}" ${between})) ${otherNamespaces}`)
        ok()
        break
      case 'LIST': {
        const wanted = nameIn(rest.replace(/^(?:\(\S*\) )?"[^"]*" /, ''))
        for (const [folder, { specialUse }] of this.#server.folders) {
          if (wanted === '*' || wanted === folder) this.#send(`* LIST (${specialUse}) ${between} ${quoted(folder)}`)
        }
        ok()
        break
      }
      case 'LSUB':
        ok()
        break
      case 'STATUS': {
        const folder = this.#server.folders.get(name)
        if (folder === undefined) no('[NONEXISTENT] no such folder')
        else if (rest.endsWith('(APPENDLIMIT)')) {
          this.#send(`* STATUS ${quoted(name)} (APPENDLIMIT ${folder.limit ?? 'NIL'})`)
          ok()
        } else {
          this.#send(`* STATUS ${quoted(name)} (UIDNEXT ${folder.uidNext} UIDVALIDITY ${folder.uidValidity})`)
          ok()
        }
        break
      }
      case 'CREATE':
        this.#server.folder(name)
        ok()
        break
      case 'SUBSCRIBE':
        this.#server.folder(name).subscribed = true
        ok()
        break
      case 'SELECT':
      case 'EXAMINE': {
        const folder = this.#server.folders.get(name)
        if (folder === undefined) no('[NONEXISTENT] no such folder')
        else {
          this.#selected = folder
          this.#send(`* ${folder.messages.length} EXISTS`)
          this.#send(`* OK [UIDVALIDITY ${folder.uidValidity}] ok`)
          this.#send(`* OK [UIDNEXT ${folder.uidNext}] ok`)
          if (folder.permanentFlags !== null)
            this.#send(`* OK [PERMANENTFLAGS (${command === 'SELECT' ? folder.permanentFlags : ''})] ok`)
          ok(command === 'SELECT' ? '[READ-WRITE] done' : '[READ-ONLY] done')
        }
        break
      }
      case 'CLOSE':
      case 'UNSELECT':
        this.#selected = null
        ok()
        break
      case 'SEARCH': {
        const text = /HEADER "?[\w-]+"? "?([^" )]*)"?/i.exec(rest)?.[1] ?? ''
        const found = (this.#selected?.messages ?? []).filter(({ bytes }) =>
          new RegExp(`^x-popfetch-delivery:.*${text}`, 'im').test(bytes.toString('latin1').split('\r\n\r\n')[0] ?? ''),
        )
        this.#send(`* SEARCH ${found.map(({ uid }) => uid).join(' ')}`)
        ok()
        break
      }
      case 'FETCH':
        this.#fetch(rest, byUid)
        ok()
        break
      case 'STORE': {
        const labels = /X-GM-LABELS(?:\.SILENT)? \((.*)\)/i.exec(rest)?.[1] ?? ''
        for (const message of this.#chosen(rest.split(' ')[0] ?? '', byUid)) message.labels = labels
        ok()
        break
      }
      case 'GETQUOTAROOT': {
        const { quota } = this.#server
        this.#send(`* QUOTAROOT ${quoted(name)} "all"`)
        if (quota !== null) this.#send(`* QUOTA "all" (${quota.resource} ${quota.usage} ${quota.limit})`)
        ok()
        break
      }
      case 'LOGOUT':
        this.#send('* BYE bye')
        ok()
        this.#socket.end()
        return true
      case 'ENABLE':
        this.#send(`* ENABLED ${rest}`)
        ok()
        break
      case 'NOOP':
        ok()
        break
      default:
        this.#send(`${tag} BAD what is ${command}`)
    }
    return false
  }

  /** With MULTIAPPEND (RFC 3502) all of the command or none of it. */
  async #append(tag: string, rest: string): Promise<boolean> {
    const name = nameIn(rest)
    const together: Omit<StoredMessage, 'uid'>[] = []
    for (let words = rest; words !== ''; words = (await this.#line()).trim()) {
      const [, size = '0', plus = ''] = /~?\{(\d+)(\+?)\}$/.exec(words) ?? []
      if (plus !== '' && this.#server.liesOfLiterals) {
        this.#send(`${tag} BAD no such literal`)
        return false
      }
      const early = plus === '' ? await this.#ask({ command: 'APPEND+', rest: words }) : null
      if (early !== null) {
        this.#send(`${tag} ${early}`)
        return false
      }
      if (plus === '') this.#send('+ go on')
      if (this.#buffer.length === 0) await this.#wait()
      this.#server.onLiteral()
      const bytes = await this.#bytes(Number(size))
      const flags = (/ ?\(([^)]*)\)/.exec(words)?.[1] ?? '').split(' ').filter((flag) => flag !== '')
      const date = /"([ \d]\d-\w{3}-\d{4} [^"]*)"/.exec(words)?.[1] ?? null
      together.push({ bytes, flags, date, labels: '' })
      this.#server.received += 1
    }
    const uids: number[] = []
    const store = (messages: readonly Omit<StoredMessage, 'uid'>[]): void => {
      const folder = this.#server.folders.get(name)
      for (const message of folder === undefined ? [] : messages) {
        uids.push(folder!.uidNext)
        folder!.messages.push({ ...message, uid: folder!.uidNext++ })
      }
    }
    this.#server.commands.push(together.length)
    const refused = together.findIndex(({ bytes }) => this.#server.refuses(bytes))
    if (refused >= 0) {
      if (this.#server.takesHalf) store(together.slice(0, refused))
      this.#send(`${tag} NO ${this.#server.refusal}`)
      return false
    }
    const fault = await this.#ask({ command: 'APPEND', rest }, () => store(together))
    if (fault !== null) this.#send(`${tag} ${fault}`)
    else if (uids.length === 0) this.#send(`${tag} NO [TRYCREATE] no such folder`)
    else if (this.#server.options.capabilities.includes('UIDPLUS')) {
      const set = uids.length === 1 ? String(uids[0]) : `${uids[0]}:${uids.at(-1)}`
      this.#send(`${tag} OK [APPENDUID 7 ${set}] done`)
    } else this.#send(`${tag} OK done`)
    return false
  }

  #chosen(range: string, byUid: boolean): readonly StoredMessage[] {
    const messages = this.#selected?.messages ?? []
    return messages.filter(({ uid }, at) => {
      const number = byUid ? uid : at + 1
      const last = byUid ? (messages.at(-1)?.uid ?? 0) : messages.length
      return range.split(',').some((part) => {
        const [from = 0, to = from] = part.split(':').map((end) => (end === '*' ? last : Number(end)))
        return number >= Math.min(from, to) && number <= Math.max(from, to)
      })
    })
  }

  #fetch(rest: string, byUid: boolean): void {
    const all = this.#selected?.messages ?? []
    for (const message of this.#chosen(rest.split(' ')[0] ?? '', byUid)) {
      const { uid, bytes } = message
      const header = `${bytes.toString('latin1').split('\r\n\r\n')[0]}\r\n`
      const mark = /^x-popfetch-delivery:.*\r\n/im.exec(header)?.[0] ?? ''
      const items = [`UID ${uid}`]
      if (rest.includes('RFC822.SIZE')) items.push(`RFC822.SIZE ${bytes.length}`)
      const fields = /BODY(?:\.PEEK)?(\[HEADER\.FIELDS \([^)]*\)\])/i.exec(rest)?.[1]
      if (fields !== undefined) items.push(`BODY${fields} {${mark.length + 2}}\r\n${mark}\r\n`)
      const [, from, count] = /BODY(?:\.PEEK)?\[\](?:<(\d+)\.(\d+)>)?/i.exec(rest) ?? []
      if (/BODY(?:\.PEEK)?\[\]/i.test(rest)) {
        const part = bytes.subarray(Number(from ?? 0), Number(from ?? 0) + Number(count ?? bytes.length))
        const where = from === undefined ? '' : `<${from}>`
        items.push(`BODY[]${where} {${part.length}}\r\n${part.toString('latin1')}`)
      }
      this.#send(`* ${all.indexOf(message) + 1} FETCH (${items.join(' ')})`)
    }
  }
}

function quoted(text: string): string {
  return `"${text.replace(/["\\]/g, '\\$&')}"`
}

/** The first word, in quotes or not. */
function nameIn(rest: string): string {
  const [, quoted, plain] = /^(?:"((?:[^"\\]|\\.)*)"|(\S+))/.exec(rest) ?? []
  return quoted?.replace(/\\(.)/g, '$1') ?? plain ?? ''
}
