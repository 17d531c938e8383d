import { describe, expect, test } from 'vitest'
import { discover, type Lookups, type SrvRecord } from '../../src/setup/discover.ts'

interface Network {
  readonly srv?: Readonly<Record<string, readonly SrvRecord[]>>
  readonly pages?: Readonly<Record<string, string>>
  readonly offline?: boolean
}

class Asked implements Lookups {
  readonly names: string[] = []
  readonly urls: string[] = []
  readonly #network: Network

  constructor(network: Network) {
    this.#network = network
  }

  srv(name: string) {
    this.names.push(name)
    return Promise.resolve(this.#network.offline === true ? null : (this.#network.srv?.[name] ?? []))
  }

  page(url: string) {
    this.urls.push(url)
    return Promise.resolve(this.#network.pages?.[url] ?? null)
  }
}

const at = (name: string, port: number, priority = 0): SrvRecord => ({ name, port, priority })

describe('SRV records', () => {
  test('of pop3s count before those of pop3, the lowest priority first', async () => {
    const srv = {
      '_pop3s._tcp.example.net': [at('b.example.net', 1995, 20), at('A.example.net.', 2995, 10)],
      '_pop3._tcp.example.net': [at('plain.example.net', 110)],
    }
    expect(await discover('alice@example.net', new Asked({ srv }))).toMatchObject({
      server: { host: 'a.example.net', port: 2995, tls: 'implicit', user: 'alice@example.net', from: 'DNS' },
      trusted: true,
    })
  })

  test('of pop3 alone mean STARTTLS', async () => {
    const srv = { '_pop3._tcp.example.net': [at('pop.example.net', 110)] }
    expect((await discover('a@EXAMPLE.net', new Asked({ srv }))).server).toMatchObject({ port: 110, tls: 'starttls' })
  })

  test('with a dot alone say that there is none', async () => {
    const srv = { '_pop3s._tcp.example.net': [at('', 0)], '_pop3._tcp.example.net': [at('.', 0)] }
    expect((await discover('a@example.net', new Asked({ srv }))).server).toBeNull()
  })

  test('that lead out of the domain are not trusted, and are not asked where the table knows the server', async () => {
    const elsewhere = { '_pop3s._tcp.example.net': [at('pop.hosting.example', 995)] }
    expect((await discover('a@example.net', new Asked({ srv: elsewhere }))).trusted).toBe(false)
    const lookalike = { '_pop3s._tcp.example.net': [at('badexample.net', 995)] }
    expect((await discover('a@example.net', new Asked({ srv: lookalike }))).trusted).toBe(false)
    const spoofed = new Asked({ srv: { '_pop3s._tcp.gmail.com': [at('pop.mallory.example', 995)] } })
    expect(await discover('a@gmail.com', spoofed)).toMatchObject({
      server: { host: 'pop.gmail.com', from: 'table' },
      trusted: true,
    })
    expect(spoofed.names).toEqual([])
  })
})

describe('autoconfig', () => {
  const page = (servers: string): string =>
    `<?xml version="1.0"?><clientConfig><emailProvider>${servers}</emailProvider>`
  const server = (type: string, host: string, socket: string, user = '%EMAILADDRESS%'): string =>
    `<incomingServer type="${type}">\n<hostname>${host}</hostname><port>995</port>
     <socketType>${socket}</socketType> <username>${user}</username></incomingServer>`
  const first = 'https://autoconfig.example.net/mail/config-v1.1.xml'
  const second = 'https://example.net/.well-known/autoconfig/mail/config-v1.1.xml'
  const found = async (pages: Readonly<Record<string, string>>) =>
    (await discover('al&ice@example.net', new Asked({ pages }))).server

  test('gives the first POP3 server with TLS', async () => {
    const text = page(
      server('imap', 'imap.example.net', 'SSL') +
        server('pop3', 'open.example.net', 'plain') +
        server('pop3', 'pop.%EMAILDOMAIN%', 'SSL', '%EMAILLOCALPART%'),
    )
    expect(await found({ [second]: text })).toEqual({
      host: 'pop.example.net',
      port: 995,
      tls: 'implicit',
      user: 'al&ice',
      from: 'autoconfig',
    })
  })

  test('that names no host, or no TLS, gives nothing', async () => {
    expect(await found({ [first]: page(server('pop3', 'a b\r\nQUIT', 'SSL')) })).toBeNull()
    expect(await found({ [first]: page(server('pop3', 'a.example', 'plain')) })).toBeNull()
    expect(await found({ [first]: '<html>' })).toBeNull()
  })

  test('is asked for by the domain alone', async () => {
    const asked = new Asked({})
    await discover('alice@example.net', asked)
    expect([...asked.names, ...asked.urls].filter((text) => text.includes('alice'))).toEqual([])
    expect(asked.urls).toEqual([first, second])
  })
})

describe('the table', () => {
  test('answers when nothing else does', async () => {
    expect(await discover('a.b@gmail.com', new Asked({}))).toMatchObject({
      server: { host: 'pop.gmail.com', port: 995, tls: 'implicit', user: 'a.b@gmail.com', from: 'table' },
      provider: { name: 'Gmail', secret: 'app password' },
    })
  })

  test('answers at once on a machine that is offline', async () => {
    const asked = new Asked({ offline: true })
    expect((await discover('x@laposte.net', asked)).server).toMatchObject({ host: 'pop.laposte.net', user: 'x' })
    expect(asked.urls).toEqual([])
  })

  test('knows who has no POP3', async () => {
    const asked = new Asked({})
    expect(await discover('x@icloud.com', asked)).toMatchObject({ server: null, provider: { name: 'iCloud' } })
    expect(asked.names).toEqual([])
  })
})

describe('where neither table, SRV nor a page knows', () => {
  const asked = (mx: readonly string[], greeting: Readonly<Record<string, 'yes' | 'untrusted'>> = {}): Lookups => ({
    srv: () => Promise.resolve([]),
    page: () => Promise.resolve(null),
    mx: () => Promise.resolve(mx),
    greets: ({ host, port, tls }) => Promise.resolve(greeting[`${host}:${port} ${tls}`] ?? 'no'),
  })

  test('MX records lead to the provider, and to its servers of the table', async () => {
    expect(await discover('a@firm.example', asked(['aspmx.l.google.com']))).toMatchObject({
      server: { host: 'pop.gmail.com', port: 995, tls: 'implicit', from: 'MX' },
      provider: { name: 'Gmail' },
      trusted: true,
    })
    expect((await discover('a@firm.example', asked(['mail.protonmail.ch']))).server).toBeNull()
    expect((await discover('a@firm.example', asked(['google.com.mallory.example']))).server).toBeNull()
  })

  test.each([
    [{ 'pop.firm.example:995 implicit': 'yes', 'mail.firm.example:995 implicit': 'yes' }, 'pop.firm.example 995'],
    [{ 'pop.firm.example:110 starttls': 'yes', 'mail.firm.example:995 implicit': 'yes' }, 'pop.firm.example 110'],
    [{ 'pop.firm.example:995 implicit': 'untrusted', 'firm.example:110 starttls': 'yes' }, 'firm.example 110'],
    [{ 'mail.firm.example:995 implicit': 'untrusted' }, 'mail.firm.example 995'],
    [{}, null],
  ] as const)('the usual names are tried side by side: %j', async (greeting, found) => {
    const { server, trusted } = await discover('a@firm.example', asked([], greeting))
    expect(server === null ? null : `${server.host} ${server.port}`).toBe(found)
    expect(trusted).toBe(true)
  })

  test('one that hangs holds up nobody behind the first that is trusted, and is let go', async () => {
    const left: string[] = []
    const greets: Lookups['greets'] = async ({ host }, enough) => {
      if (host === 'pop.firm.example') return 'yes'
      enough.addEventListener('abort', () => left.push(host))
      return await new Promise(() => {})
    }
    expect((await discover('a@firm.example', { ...asked([]), greets })).server?.host).toBe('pop.firm.example')
    expect(left.toSorted()).toEqual(['firm.example', 'firm.example', 'mail.firm.example', 'mail.firm.example'])
  })

  test('one that fails behind the first that is trusted is nobody’s error', async () => {
    const greets: Lookups['greets'] = ({ host }) =>
      host === 'pop.firm.example' ? Promise.resolve('yes') : Promise.reject(new Error('too late'))
    expect((await discover('a@firm.example', { ...asked([]), greets })).server?.host).toBe('pop.firm.example')
  })

  test('one without TLS is not taken, but told', async () => {
    const greets: Lookups['greets'] = ({ host, port }) =>
      Promise.resolve(host === 'mail.firm.example' && port === 110 ? 'plain' : 'no')
    expect(await discover('a@firm.example', { ...asked([]), greets })).toMatchObject({
      server: null,
      missing: { host: 'mail.firm.example', port: 110 },
    })
  })

  test('a DNS that answers nothing about SRV records is still asked for the rest; one that answers nothing is offline', async () => {
    const silent: Lookups = {
      ...asked([], { 'pop.firm.example:995 implicit': 'yes' }),
      srv: () => Promise.resolve(null),
    }
    expect((await discover('a@firm.example', silent)).server?.host).toBe('pop.firm.example')
    const offline = await discover('a@firm.example', { ...silent, mx: () => Promise.resolve(null) })
    expect(offline).toMatchObject({ server: null, missing: 'offline' })
  })

  test('all of them are asked at once', async () => {
    let open = 0
    let most = 0
    const { promise, resolve } = Promise.withResolvers<void>()
    const greets = async (): Promise<'no'> => {
      open += 1
      most = Math.max(most, open)
      if (open === 6) resolve()
      await promise
      return 'no'
    }
    await discover('a@firm.example', { ...asked([]), greets })
    expect(most).toBe(6)
  })
})
