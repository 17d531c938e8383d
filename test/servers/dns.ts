// A small DNS server on loopback, with the records that a test sets (RFC 1035, RFC 2782). What it has no record of does not exist.
import { createSocket, type Socket } from 'node:dgram'

export interface Zone {
  /** Addresses by name. */
  readonly a?: Readonly<Record<string, string>>
  readonly srv?: Readonly<Record<string, { readonly host: string; readonly port: number; readonly priority?: number }>>
  readonly mx?: Readonly<Record<string, string>>
  /** No question for records of these kinds is answered. */
  readonly silent?: readonly Kind[]
}

type Kind = 'a' | 'srv' | 'mx' | 'other'

const KINDS: Readonly<Record<number, Kind>> = { 1: 'a', 15: 'mx', 33: 'srv' }

export class DnsServer implements AsyncDisposable {
  zone: Zone = {}
  /** The questions, as `srv _pop3s._tcp.example.net`. */
  readonly asked: string[] = []
  readonly #socket: Socket

  private constructor(socket: Socket) {
    this.#socket = socket
    socket.on('message', (query, { address, port }) => {
      const reply = this.#answer(query)
      if (reply !== null) socket.send(reply, port, address)
    })
  }

  /** At port 53: resolvers ask no other. */
  static async start(address: string): Promise<DnsServer> {
    const socket = createSocket('udp4')
    await new Promise<void>((resolve, reject) => {
      socket.once('error', reject)
      socket.bind(53, address, resolve)
    })
    return new DnsServer(socket)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await new Promise<void>((resolve) => void this.#socket.close(resolve))
  }

  #answer(query: Buffer): Buffer | null {
    const labels: string[] = []
    let at = 12
    for (let length = query[at] ?? 0; length > 0; length = query[at] ?? 0) {
      labels.push(query.toString('latin1', at + 1, at + 1 + length).toLowerCase())
      at += length + 1
    }
    const name = labels.join('.')
    const type = query.readUInt16BE(at + 1)
    const kind = KINDS[type] ?? 'other'
    const question = query.subarray(12, at + 5)
    if (kind !== 'other') this.asked.push(`${kind} ${name}`)
    if (this.zone.silent?.includes(kind) === true) return null
    const data = this.#data(kind, name)
    const exists = data !== null || Object.hasOwn(this.zone.a ?? {}, name)
    const header = Buffer.alloc(12)
    query.copy(header, 0, 0, 2)
    // An authoritative answer; NXDOMAIN where there is nothing of that name.
    header.writeUInt16BE(exists ? 0x8580 : 0x8583, 2)
    header.writeUInt16BE(1, 4)
    header.writeUInt16BE(data === null ? 0 : 1, 6)
    if (data === null) return Buffer.concat([header, question])
    const record = Buffer.alloc(12)
    // The name is that of the question.
    record.writeUInt16BE(0xc00c, 0)
    record.writeUInt16BE(type, 2)
    record.writeUInt16BE(1, 4)
    record.writeUInt16BE(data.length, 10)
    return Buffer.concat([header, question, record, data])
  }

  #data(kind: Kind, name: string): Buffer | null {
    const { a = {}, srv = {}, mx = {} } = this.zone
    if (kind === 'a' && a[name] !== undefined) return Buffer.from(a[name].split('.').map(Number))
    if (kind === 'mx' && mx[name] !== undefined) return Buffer.concat([numbers(10), wireName(mx[name])])
    const service = kind === 'srv' ? srv[name] : undefined
    if (service === undefined) return null
    return Buffer.concat([numbers(service.priority ?? 0, 0, service.port), wireName(service.host)])
  }
}

function numbers(...values: readonly number[]): Buffer {
  const bytes = Buffer.alloc(values.length * 2)
  for (const [at, value] of values.entries()) bytes.writeUInt16BE(value, at * 2)
  return bytes
}

function wireName(name: string): Buffer {
  const labels = name.split('.').map((label) => Buffer.concat([Buffer.from([label.length]), Buffer.from(label)]))
  return Buffer.concat([...labels, Buffer.from([0])])
}
