// Where the browser comes back to: a server on 127.0.0.1 that lives for one sign-in and answers one path. Whether what came is
// the answer is decided by who listens. The one rule: it listens only on loopback, and its page repeats nothing of a request.
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { errnoOf, PopfetchError } from '../../errors.ts'

export interface Came {
  readonly parameters: URLSearchParams
  /** Shows the person in the browser what became of it. */
  readonly answer: (worked: boolean, text: string) => void
}

export interface Loopback extends AsyncDisposable {
  readonly port: number
}

/** Nobody needs more than one browser; a stranger on this machine gets no further. */
const LIMITS = { maxHeaderSize: 16_384, headersTimeout: 10_000, requestTimeout: 10_000, keepAlive: false } as const

/** `port` null: any that is free. `came` is called for each request with parameters. Rejects with ERR_CONFIG when the port is not
 *  free. */
export async function listen(port: number | null, path: string, came: (one: Came) => void): Promise<Loopback> {
  const server = createServer(LIMITS, (request, response) => {
    const parameters = parametersOf(request, path)
    if (parameters === null) page(response, 404, 'Nothing is here', 'popfetch waits for the end of a sign-in.')
    else
      came({
        parameters,
        answer: (worked, text) => page(response, worked ? 200 : 400, worked ? 'Signed in' : 'Not signed in', text),
      })
  })
  server.maxConnections = 8
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen({ host: '127.0.0.1', port: port ?? 0, exclusive: true }, resolve)
  }).catch((cause: unknown) => {
    const why = errnoOf(cause) ?? 'unknown reason'
    const text = `listening on 127.0.0.1:${port ?? 0} for the browser: ${why}: set another redirectPort, or none`
    throw new PopfetchError('ERR_CONFIG', text, { scope: 'account', retry: 'never', cause })
  })
  const address = server.address()
  return {
    port: isInfo(address) ? address.port : 0,
    async [Symbol.asyncDispose]() {
      const closed = new Promise<void>((resolve) => void server.close(() => resolve()))
      // A page on its way is let through; a browser that holds its connection is not waited for.
      const late = setTimeout(() => server.closeAllConnections(), 500)
      await closed
      clearTimeout(late)
    },
  }
}

function isInfo(address: AddressInfo | string | null): address is AddressInfo {
  return typeof address === 'object' && address !== null
}

/** Null: it is not what we wait for. */
function parametersOf({ method, url, headers }: IncomingMessage, path: string): URLSearchParams | null {
  if (method !== 'GET' || url === undefined || !URL.canParse(url, 'http://127.0.0.1')) return null
  // Another page could name this address by a name of its own (DNS rebinding).
  if (!/^(?:127\.0\.0\.1|localhost)(?::\d+)?$/.test(headers.host ?? '')) return null
  const { pathname, searchParams } = new URL(url, 'http://127.0.0.1')
  return pathname === path && searchParams.size > 0 ? searchParams : null
}

function page(response: ServerResponse, status: number, title: string, text: string): void {
  response.writeHead(status, {
    'content-type': 'text/html; charset=utf-8',
    'cache-control': 'no-store',
    'content-security-policy': "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'",
    'x-content-type-options': 'nosniff',
    'referrer-policy': 'no-referrer',
    connection: 'close',
  })
  response.end(
    `<!doctype html><html lang="en"><meta charset="utf-8"><title>popfetch: ${title}</title>` +
      '<style>:root{color-scheme:light dark}body{font:1.1em sans-serif;margin:15vh auto;max-width:32em;padding:0 1em}</style>' +
      `<h1>${title}</h1><p>${text}</p></html>\n`,
  )
}
